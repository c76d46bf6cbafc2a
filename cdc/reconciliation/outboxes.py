"""The outboxes of all services as of one moment, which is the same for all of a database."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import args_row

from cdc.database import connect
from cdc.envelope import OutboxRow
from cdc.shards import ALL, Keys
from cdc.sql import load_queries

QUERIES = load_queries(__package__)
FETCHED = 2000

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which rows and records are compared: those that were written in it."""

    since: datetime | None = None  # its beginning; None for no bound
    until: datetime | None = None  # its end, which does not belong to it; None for no bound
    # leave out smaller ids, which spares the reading of what is surely older; None to read them all
    first_id: UUID | None = None


class Outboxes:
    """The outboxes as they were when they were opened; build it with `open_outboxes`.

    Args:
        connections: Outbox -> a connection of its service's role in a transaction; all of a database see the same
            moment.
        urls: Outbox -> libpq URL, for a look at what came later.
        wal_ends: Outbox -> where the WAL of its server ended by then.
        keys: Those whose rows are compared.
    """

    def __init__(
        self,
        connections: Mapping[str, Connection],
        urls: Mapping[str, str],
        wal_ends: Mapping[str, str],
        keys: Keys = ALL,
    ) -> None:
        self._connections = connections
        self._urls = urls
        self._keys = keys
        self.wal_ends = wal_ends

    def topics(self) -> list[str]:
        return sorted(
            {
                topic
                for connection in self._connections.values()
                for (topic,) in connection.execute(QUERIES["topics"])
            }
        )

    def holders(self, window: Window) -> dict[str, list[str]]:
        """Return topic -> schemas whose outboxes have rows for it in a window."""
        found: dict[str, list[str]] = {}
        for schema, connection in self._connections.items():
            for (topic,) in connection.execute(QUERIES["topics_in"], _parameters(window)):
                found.setdefault(topic, []).append(schema)
        return found

    def rows(
        self, topic: str, window: Window, schemas: Iterable[str] | None = None
    ) -> Iterator[tuple[str, OutboxRow]]:
        """Yield the rows for a topic in the order of their ids, each with its schema.

        Args:
            schemas: Where there are such rows, see `holders`; all are asked when None.
        """
        asked = self._connections if schemas is None else schemas
        with ExitStack() as stack:
            streams = [self._stream(stack, schema, topic, window) for schema in asked]
            yield from heapq.merge(*streams, key=lambda pair: pair[1].id.int)

    def rows_by_now(self, topic: str, ids: Sequence[bytes]) -> Iterator[tuple[str, OutboxRow]]:
        """Yield those rows for a topic that have one of these ids and exist by now, each with its schema."""
        parameters = {"topic": topic, "ids": [UUID(bytes=each) for each in ids]}
        for schema, url in self._urls.items():
            with connect(url) as connection:
                cursor = connection.cursor(row_factory=args_row(OutboxRow), binary=True)
                cursor.execute(QUERIES["rows_of_ids"], parameters)
                yield from ((schema, row) for row in cursor)

    def messages_kept_since(self) -> datetime | None:
        """Return since when the outboxes keep what is no event; None when they keep all there ever was."""
        found = [
            moment
            for connection in self._connections.values()
            for (moment,) in connection.execute(QUERIES["messages_kept_since"])
        ]
        return max((moment for moment in found if moment), default=None)

    def _stream(
        self, stack: ExitStack, schema: str, topic: str, window: Window
    ) -> Iterator[tuple[str, OutboxRow]]:
        cursor = psycopg.ServerCursor(
            self._connections[schema], "rows", row_factory=args_row(OutboxRow)
        )
        cursor.itersize = FETCHED
        stack.enter_context(cursor)
        parameters = {"topic": topic} | _parameters(window) | self._keys.parameters
        cursor.execute(QUERIES["rows"], parameters, binary=True)
        return ((schema, row) for row in cursor)


@contextmanager
def open_outboxes(
    urls: Mapping[str, str], snapshot: str | None = None, keys: Keys = ALL
) -> Iterator[Outboxes]:
    """Open the outboxes of services until the block ends.

    Args:
        urls: Outbox -> libpq URL of the role that may read it.
        snapshot: Name of an exported snapshot that says which moment they are seen at, all being in one database; now
            when None.
        keys: Those whose rows are compared.
    """
    connections: dict[str, Connection] = {}
    wal_ends: dict[str, str] = {}
    snapshots: dict[str, str] = {}
    with ExitStack() as stack:
        for schema, url in urls.items():
            connection = stack.enter_context(connect(url))
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            database = _database(url)
            if shared := snapshot or snapshots.get(database):
                connection.execute(
                    sql.SQL("set transaction snapshot {}").format(sql.Literal(shared))
                )
            else:
                [snapshots[database]] = _one(connection, "share_snapshot")
            connections[schema] = connection
            [wal_ends[schema]] = map(str, _one(connection, "wal_end"))
        try:
            yield Outboxes(connections, urls, wal_ends, keys)
        finally:
            for each in connections.values():
                if not each.closed:
                    each.rollback()


def _parameters(window: Window) -> dict[str, Any]:
    return {"since": window.since, "until": window.until, "first_id": window.first_id}


def _database(url: str) -> str:
    """Return which database a URL leads to: a snapshot is one of that."""
    parts = conninfo_to_dict(url)
    return f"{parts.get('host')}:{parts.get('port')}/{parts.get('dbname')}"


def _one(connection: Connection, query: str) -> tuple[Any, ...]:
    [row] = connection.execute(QUERIES[query]).fetchall()
    return cast(tuple[Any, ...], row)
