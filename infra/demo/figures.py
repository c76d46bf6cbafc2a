"""What the databases tell of a run: repetitions that were dropped, what an order costs, and whether the books agree."""

import time
from dataclasses import dataclass
from datetime import datetime

import psycopg

from cdc.database import SyncConnection, connect
from infra.demo.all_books import all_disagreements
from infra.demo.orders import DemoError
from infra.deployment import Deployment
from infra.services import OUTBOXES, OWNER, WORKERS

SETTLED_WITHIN_S = 20.0
"""What is undone is undone after the order has told that it is cancelled."""
FLUSHED_AFTER_S = 1.2
"""Sessions of Postgres tell their figures a second late at most."""

DUPLICATES = "select coalesce(sum(duplicates), 0)::bigint from consumer_offset where consumer = %s"
WORK = """
select extract(epoch from pg_postmaster_start_time())::bigint,
       (select xact_commit from pg_stat_database where datname = current_database()),
       (select coalesce(sum(n_tup_ins), 0)::bigint from pg_stat_all_tables
        where schemaname = any(%s) and relname ~ '^outbox(_message.*|_event.*)?$')
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums since the stack was made.

    Args:
        duplicates: Deliveries that consumers have dropped because their effect existed already.
        counts_since: When Postgres, the last of several, was started, in seconds. One that was killed begins anew.
        commits: Transactions in the database, whoever made them.
        messages: Messages in all outboxes.
    """

    duplicates: int
    counts_since: int
    commits: int
    messages: int


@dataclass(frozen=True, slots=True)
class Added:
    """What was added to `Figures`; None where nobody has counted all the time."""

    duplicates: int
    commits: int | None
    messages: int | None


def figures(deployment: Deployment) -> Figures:
    """Return the sums; each consumer is asked for its own as its own role.

    Raises:
        DemoError: a database cannot be asked.
    """
    duplicates = sum(
        _asked(deployment.database_url(worker.role), worker.role, DUPLICATES, worker.name)[0]
        for worker in WORKERS
        if worker.role
    )
    works = [_asked(each.url(OWNER), OWNER, WORK, list(OUTBOXES)) for each in deployment.captures]
    counts_since, commits, messages = zip(*works, strict=True)
    return Figures(duplicates, max(counts_since), sum(commits), sum(messages))


def figures_since(before: Figures, deployment: Deployment) -> Added:
    """Return what was added, once what has just been done is counted.

    Raises:
        DemoError: a database cannot be asked.
    """
    time.sleep(FLUSHED_AFTER_S)
    return added(before, figures(deployment))


def added(before: Figures, now: Figures) -> Added:
    duplicates = now.duplicates - before.duplicates
    if now.counts_since != before.counts_since:
        return Added(duplicates, None, None)
    return Added(duplicates, now.commits - before.commits, now.messages - before.messages)


def settled_books(deployment: Deployment, since: datetime, *, within_s: float) -> list[str]:
    """Return in which way the books disagree when everything has had its time, which is so many seconds at most.

    Raises:
        DemoError: the database cannot be asked.
    """
    deadline = time.monotonic() + within_s
    try:
        while found := all_disagreements(deployment, since=since):
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return found
    except psycopg.Error as error:
        raise _unreadable(OWNER, error) from error


def _asked(url: str, role: str, query: str, value: object) -> tuple[int, ...]:
    try:
        with connect(url) as connection:
            return _row(connection, query, value)
    except psycopg.Error as error:
        raise _unreadable(role, error) from error


def _row(connection: SyncConnection, query: str, value: object) -> tuple[int, ...]:
    row = connection.execute(query.encode(), [value]).fetchone()
    return tuple(map(int, row)) if row else ()


def _unreadable(role: str, error: psycopg.Error) -> DemoError:
    return DemoError(
        f"What {role} has in the database cannot be read ({' '.join(str(error).split())}); "
        "start the stack with `make up`, or see `tailrace status`."
    )
