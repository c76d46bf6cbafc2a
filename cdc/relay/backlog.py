"""What the relay still has to publish, and who holds what: read from its progress and the outboxes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

from cdc.causes import in_line
from cdc.database import connect
from cdc.relay.delivery import Because
from cdc.relay.progress import Group, Progress, groups
from cdc.sql import load_queries
from schemas.catalogue import catalogue

QUERIES = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of the work, in all outboxes."""

    number: int
    holder: str | None  # the relay that holds it; None when nobody does


@dataclass(frozen=True, slots=True)
class Backlog:
    """What of an outbox is not published."""

    outbox: str
    pending: int
    oldest_s: float | None  # age of the oldest of them in seconds; None when there is none


class SetAsideRow(NamedTuple):
    """Whose a row is that is set aside."""

    outbox: str
    topic: str
    key: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """Rows for a topic that Kafka refuses, and those that wait behind them."""

    outbox: str
    topic: str
    rows: int
    keys: int
    since: datetime
    first: UUID
    because: Because  # `topic` or `row`, whichever is at fault
    reason: str

    @property
    def told(self) -> str:
        """What is wrong, as a clause."""
        return (
            f"{self.rows:,} rows of {self.outbox} for {in_line(self.topic, 100)} are set aside since "
            f"{self.since:%Y-%m-%d %H:%M:%S}, the first is {self.first}: {self.reason}"
        )

    @property
    def remedy(self) -> str:
        if self.because == "topic" and self.topic in catalogue().topics:
            return "`tailrace topics apply` makes the topic again, and they are published by themselves"
        if self.because == "topic":
            return f"make the topic, or leave each out with `tailrace relay skip`, beginning with {self.first}"
        return (
            "raise message_bytes in schemas/catalogue.toml above its size and run `make up`, or leave it out with "
            f"`tailrace relay skip {self.first}`"
        )


@dataclass(frozen=True, slots=True)
class Situation:
    """How the relays stand together."""

    shards: Sequence[Shard]
    backlogs: Sequence[Backlog]
    set_aside: Sequence[SetAside] = ()

    @property
    def pending(self) -> int:
        return sum(backlog.pending for backlog in self.backlogs)

    @property
    def oldest_s(self) -> float | None:
        return max((b.oldest_s for b in self.backlogs if b.oldest_s is not None), default=None)


def is_publishing(database_url: str) -> bool:
    """Tell whether it is the relay that publishes.

    Args:
        database_url: libpq URL of the relay's role.
    """
    with _connected(database_url) as connection:
        return bool(connection.execute(QUERIES["all_progress"]).fetchone())


def situation(database_url: str) -> Situation:
    """Return how the relays stand; without shards when the relay is not the publisher."""
    with _connected(database_url) as connection:
        rows = connection.execute(QUERIES["all_progress"]).fetchall()
        holders = {shard: holder for _, shard, *_, holder, _ in rows}
        backlogs = [
            _backlog(connection, outbox, groups(shards), len(holders))
            for outbox, shards in _by_outbox(rows).items()
        ]
        set_aside = [SetAside(*row) for row in connection.execute(QUERIES["aside_summary"])]
    return Situation([Shard(*pair) for pair in sorted(holders.items())], backlogs, set_aside)


def leave_out(database_url: str, message_id: UUID) -> SetAsideRow | None:
    """Have a row that is set aside never published; return whose it was, None when it is not set aside.

    Those that wait behind it are published next. The row stays in its outbox.
    """
    with _connected(database_url) as connection:
        found = connection.execute(QUERIES["leave_out"], {"id": message_id}).fetchone()
    return None if found is None else SetAsideRow(*found)


def current_snapshot(database_url: str) -> str:
    """Return a snapshot, in its text form, that sees everything that is committed by now."""
    with _connected(database_url) as connection:
        [[snapshot]] = connection.execute("select pg_current_snapshot()::text").fetchall()
    return str(snapshot)


def is_published(database_url: str, snapshot: str) -> bool:
    """Tell whether everything that a snapshot sees is published, and marked so."""
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
    with connect(database_url, autocommit=True) as connection:
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
