"""What the relay still has to publish, and who holds what: read from its progress and the outboxes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from cdc.relay.progress import Group, Progress, groups
from cdc.sql import load_queries

QUERIES = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of the work, in all outboxes.

    Args:
        number: Its number.
        holder: The relay that holds it; None when nobody does.
    """

    number: int
    holder: str | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What of an outbox is not published.

    Args:
        outbox: Schema of the outbox.
        pending: Committed rows that are not published, or not marked so.
        oldest_s: Age of the oldest of them in seconds; None when there is none.
    """

    outbox: str
    pending: int
    oldest_s: float | None


@dataclass(frozen=True, slots=True)
class Situation:
    """How the relays stand together."""

    shards: Sequence[Shard]
    backlogs: Sequence[Backlog]

    @property
    def pending(self) -> int:
        """Rows that are not published."""
        return sum(backlog.pending for backlog in self.backlogs)

    @property
    def oldest_s(self) -> float | None:
        """Age of the oldest of them in seconds."""
        return max((b.oldest_s for b in self.backlogs if b.oldest_s is not None), default=None)


def situation(database_url: str) -> Situation:
    """Return how the relays stand; without shards when the relay is not the publisher.

    Args:
        database_url: libpq URL of the relay's role.
    """
    with _connected(database_url) as connection:
        rows = connection.execute(QUERIES["all_progress"]).fetchall()
        holders = {shard: holder for _, shard, *_, holder, _ in rows}
        backlogs = [
            _backlog(connection, outbox, groups(shards), len(holders))
            for outbox, shards in _by_outbox(rows).items()
        ]
    return Situation([Shard(*pair) for pair in sorted(holders.items())], backlogs)


def current_snapshot(database_url: str) -> str:
    """Return a snapshot, in its text form, that sees everything that is committed by now.

    Args:
        database_url: libpq URL of the relay's role.
    """
    with _connected(database_url) as connection:
        [[snapshot]] = connection.execute("select pg_current_snapshot()::text").fetchall()
    return str(snapshot)


def is_published(database_url: str, snapshot: str) -> bool:
    """Tell whether everything that a snapshot sees is published, and marked so.

    Args:
        database_url: libpq URL of the relay's role.
        snapshot: A snapshot in its text form.
    """
    with _connected(database_url) as connection:
        rows = connection.execute(QUERIES["all_progress"]).fetchall()
        total = len({shard for _, shard, *_ in rows})
        return not any(
            _pending(connection, outbox, group, total, snapshot)[0]
            for outbox, shards in _by_outbox(rows).items()
            for group in groups(shards)
        )


@contextmanager
def _connected(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
        connection.execute("set enable_seqscan = off")
        yield connection


def _by_outbox(rows: Sequence[Any]) -> dict[str, dict[int, Progress]]:
    found: dict[str, dict[int, Progress]] = defaultdict(dict)
    for outbox, shard, since, upto, done, *_ in rows:
        found[outbox][shard] = Progress(since, upto, done)
    return found


def _backlog(
    connection: psycopg.Connection[Any], outbox: str, behind: Sequence[Group], total: int
) -> Backlog:
    counted = [_pending(connection, outbox, group, total, None) for group in behind]
    oldest = min((moment for _, moment in counted if moment is not None), default=None)
    age_s = None if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds())
    return Backlog(outbox, sum(count for count, _ in counted), age_s)


def _pending(
    connection: psycopg.Connection[Any],
    outbox: str,
    group: Group,
    total: int,
    seen_in: str | None,
) -> tuple[int, datetime | None]:
    values = group.progress._asdict() | {
        "shards": list(group.shards),
        "total": total,
        "seen_in": seen_in,
    }
    with connection.transaction():
        path = sql.SQL("set local search_path = {}").format(sql.Identifier(outbox))
        connection.execute(path)
        [[count, oldest]] = connection.execute(QUERIES["pending"], values).fetchall()
    return count, oldest
