"""The inbox of one consumer as of one moment: its positions, and the ids that it has taken."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from cdc.database import connect
from cdc.reconciliation.records import id_of
from cdc.sql import load_queries

QUERIES = load_queries("cdc.reconciliation", "inbox.sql")
FETCHED = 5000

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerPlace:
    """A consumer of the topic, and where its inbox is."""

    name: str
    url: str
    types: Sequence[str] | None  # full names of the messages it takes; None when it takes all


class Inbox:
    """A consumer's inbox as it was when it was opened; build it with `open_inbox`."""

    def __init__(self, connection: Connection, consumer: str, topic: str) -> None:
        self._connection = connection
        self._who = {"consumer": consumer, "topic": topic}

    def positions(self, topic_id: str | None) -> dict[int, int]:
        """Return partition -> offset to go on from, in a topic of this id or of one that is not known."""
        parameters = self._who | {"topic_id": topic_id}
        return dict(self._connection.execute(QUERIES["positions"], parameters).fetchall())

    def first_id(self) -> bytes:
        """Return the smallest id that it can hold: days that nobody has to remember are dropped."""
        row = self._connection.execute(QUERIES["first_id"]).fetchone()
        return row[0].bytes if row and row[0] else bytes(16)

    def taken(self, first: bytes, last: bytes) -> Iterator[bytes]:
        """Yield the ids that were taken between two, both included, sorted."""
        with psycopg.ServerCursor(self._connection, "taken") as cursor:
            cursor.itersize = FETCHED
            bounds = {"first": UUID(bytes=first), "last": UUID(bytes=last)}
            cursor.execute(QUERIES["taken"], self._who | bounds, binary=True)
            for (message_id,) in cursor:
                yield message_id.bytes

    def parked(self) -> list[bytes | None]:
        """Return the ids of what is parked, which is never much; None for a record without one."""
        rows = self._connection.execute(QUERIES["parked"], self._who)
        return [id_of(header) for (header,) in rows]

    def skipped(self, ids: Sequence[bytes]) -> set[bytes]:
        parameters = self._who | {"ids": [UUID(bytes=each) for each in ids]}
        rows = self._connection.execute(QUERIES["decided"], parameters)
        return {found for (header,) in rows if (found := id_of(header))} & set(ids)


@contextmanager
def open_inbox(consumer: ConsumerPlace, topic: str) -> Iterator[Inbox]:
    """Open a consumer's inbox until the block ends."""
    with connect(consumer.url) as connection:
        # position and inbox are of one moment, as they were written in one transaction
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield Inbox(connection, consumer.name, topic)
        connection.rollback()
