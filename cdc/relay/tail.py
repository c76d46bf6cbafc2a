"""Reading an outbox from one snapshot to the next.

A batch lies between two snapshots: every row that one sees and the one before does not, in the order of `seq`. Whoever
appends to an aggregate has seen its last version committed, so a later version is in the same batch with a greater
`seq`, or in a later batch. No transaction that commits late is passed over, since no snapshot has seen it yet.
"""

import contextlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import args_row

from cdc.database import connect
from cdc.envelope import OutboxRow
from cdc.relay.progress import Group, Progress
from cdc.sql import load_queries

UNPUBLISHED = load_queries(__package__)["unpublished"]
AND_SNAPSHOT = (
    b"select now.snapshot, unpublished.*"
    b" from (select pg_current_snapshot()::text) as now (snapshot)"
    b" left join (" + UNPUBLISHED + b") as unpublished on true"
)
"""The same, with the snapshot that it is read in; one row of nothing else when there is nothing."""
AT_ONCE = 500
"""Rows that are asked for without a cursor."""
AT_MOST = 10_000
"""Rows of a chunk out of a backlog."""
CHUNK_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows to be published, and what is reached when they are."""

    outbox: str
    shards: tuple[int, ...]
    rows: Sequence[OutboxRow]  # the rows in their order; none when there is nothing new
    progress: Progress
    is_last: bool = False


class Tail:
    """The end of one outbox."""

    def __init__(self, outbox: str, connection: psycopg.Connection[Any]) -> None:
        self._outbox = outbox
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, outbox: str, database_url: str, *, idle_s: float) -> Iterator["Tail"]:
        """Connect, see `connect`."""
        with cls.connect(outbox, database_url, idle_s=idle_s) as connection:
            yield cls(outbox, connection)

    @staticmethod
    def connect(outbox: str, database_url: str, *, idle_s: float) -> psycopg.Connection[Any]:
        """Return a session that begins transactions when it is told to, of which each sees one snapshot.

        Args:
            idle_s: How long a transaction may be left alone before Postgres ends it, in seconds.
        """
        connection = connect(database_url, autocommit=True, prepare_threshold=0)
        connection.execute(
            "select set_config('search_path', quote_ident(%s), false),"
            "       set_config('application_name', 'tailrace relay ' || %s, false),"
            "       set_config('idle_in_transaction_session_timeout', %s, false),"
            # the planner cannot know how few rows are new, and would rather read the whole log
            "       set_config('enable_seqscan', 'off', false),"
            "       set_config('plan_cache_mode', 'force_generic_plan', false),"
            "       set_config('jit', 'off', false),"
            "       set_config('work_mem', '64MB', false)",
            [outbox, outbox, f"{idle_s * 1000:.0f}ms"],
        )
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return connection

    def read(self, groups: Sequence[Group], total: int) -> Generator[Chunk]:
        """Read to the present what is unpublished.

        That is one statement where all shards have come equally far, as they have nearly always, and there is no
        backlog; otherwise a transaction, which ends when the generator is closed or exhausted.
        """
        if len(groups) == 1 and groups[0].progress.upto is None:
            chunk = self._newest(groups[0], total)
            yield chunk
            if chunk.is_last:
                return
            groups = [Group(chunk.progress, chunk.shards)]
        with self._connection.transaction():
            [[now]] = self._connection.execute("select pg_current_snapshot()::text").fetchall()
            windows = list(_windows(groups))
            for number, (progress, shards) in enumerate(windows, start=1):
                for chunk in self._window(progress, shards, total, now):
                    is_last = chunk.progress.upto is None and number == len(windows)
                    yield replace(chunk, is_last=is_last)

    def cancel(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=2)

    def _newest(self, group: Group, total: int) -> Chunk:
        """Return all that is new, or the first of it."""
        progress, shards = group
        values = _values(progress, shards, total) | {"limit": AT_ONCE}
        with self._connection.cursor(binary=True) as cursor:
            found = cursor.execute(AND_SNAPSHOT, values).fetchall()
        now = found[0][0]
        rows = sorted(OutboxRow(*row) for _, *row in found if row[0] is not None)
        if len(rows) < AT_ONCE:
            return Chunk(self._outbox, shards, rows, Progress(now), is_last=True)
        return Chunk(self._outbox, shards, rows, Progress(progress.since, now, rows[-1].seq))

    def _window(
        self, progress: Progress, shards: tuple[int, ...], total: int, now: str
    ) -> Iterator[Chunk]:
        upto = progress.upto or now
        end = Progress(upto)
        values = _values(progress, shards, total)
        if progress.done is None:
            first = self._first(values)
            if len(first) < AT_ONCE:
                yield Chunk(self._outbox, shards, first, end)
                return
            values["done"] = first[-1].seq
            yield Chunk(self._outbox, shards, first, Progress(progress.since, upto, values["done"]))
        # a backlog, or the rest of one: to ask for the first of it would sort all of it once more
        for rows in self._rest(values):
            yield Chunk(self._outbox, shards, rows, Progress(progress.since, upto, rows[-1].seq))
        yield Chunk(self._outbox, shards, (), end)

    def _first(self, values: dict[str, Any]) -> list[OutboxRow]:
        with self._connection.cursor(binary=True, row_factory=args_row(OutboxRow)) as cursor:
            return cursor.execute(UNPUBLISHED, values | {"limit": AT_ONCE}).fetchall()

    def _rest(self, values: dict[str, Any]) -> Iterator[list[OutboxRow]]:
        with self._connection.cursor("backlog", row_factory=args_row(OutboxRow)) as cursor:
            cursor.execute(UNPUBLISHED, values | {"limit": None}, binary=True)
            size = AT_ONCE
            while rows := cursor.fetchmany(size):
                yield rows
                mean = sum(len(row.payload) + 200 for row in rows) / len(rows)
                size = max(1, min(AT_MOST, int(CHUNK_BYTES / mean)))


def _values(progress: Progress, shards: tuple[int, ...], total: int) -> dict[str, Any]:
    return {
        "since": progress.since,
        "upto": progress.upto,
        "done": 0 if progress.done is None else progress.done,
        "shards": None if len(shards) == total else list(shards),
        "total": total,
    }


def _windows(groups: Sequence[Group]) -> Iterator[Group]:
    """Yield what to read: what was begun is finished first, since of that alone is known how far it has come."""
    for group in groups:
        yield group
        if group.progress.upto is not None:
            yield Group(Progress(group.progress.upto), group.shards)
