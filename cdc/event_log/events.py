"""Events as they lie in the log, read in the order of their versions and in bounded memory."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from cdc.database import Connection
from cdc.ids import new_id
from cdc.sql import load_queries

QUERIES = load_queries(__package__)
FETCHED = 500
"""Events that are asked of Postgres at a time, and at most held here."""


class BrokenLogError(Exception):
    """A log does not say what became of an aggregate."""


class HoleError(BrokenLogError):
    """A version is missing from an aggregate's log.

    Args:
        kind: Kind of the aggregate.
        aggregate_id: Identity of the aggregate.
        missing: The first version that is missing.
        found: The version that stands in its place.
    """

    def __init__(self, kind: str, aggregate_id: str, missing: int, found: int) -> None:
        super().__init__(
            f"version {missing} of {kind} {aggregate_id} is missing from its log, where version {found} comes next; "
            "events are never deleted, so restore the table from a backup"
        )
        self.aggregate_id = aggregate_id
        self.missing = missing


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """One event of a log; the fields are columns of `outbox_event`.

    Args:
        aggregate_type: Kind of the aggregate.
        aggregate_id: Its identity.
        aggregate_version: Its version after this event; the first is 1.
        id: Message id.
        type: Full name of the message.
        topic: Where it was published.
        payload: The message in Confluent's wire format.
        correlation_id: Shared by everything that one outside request set in motion.
        causation_id: Id of the message that led to this one.
        traceparent: W3C trace context.
        occurred_at: When the event was inserted, by the database's clock.
    """

    aggregate_type: str
    aggregate_id: str
    aggregate_version: int
    id: UUID
    type: str
    topic: str
    payload: bytes
    correlation_id: UUID
    causation_id: UUID | None
    traceparent: str | None
    occurred_at: datetime


async def history(
    connection: Connection, kind: str, aggregate_id: str, *, from_version: int = 1
) -> AsyncGenerator[LoggedEvent, None]:
    """Yield the events of one aggregate, oldest first, some hundred in memory at a time.

    Args:
        connection: Leads to the service's schema; a transaction has to be open on it.
        kind: Kind of the aggregate, such as `order`.
        aggregate_id: Its identity.
        from_version: The first version that is wanted.

    Raises:
        HoleError: a version is missing between others, or before the first.
    """
    expected = from_version
    parameters = {"kind": kind, "aggregate_id": aggregate_id, "from_version": from_version}
    async with aclosing(stream(connection, "history", parameters)) as events:
        async for event in events:
            if event.aggregate_version != expected:
                raise HoleError(kind, aggregate_id, expected, event.aggregate_version)
            expected += 1
            yield event


async def stream(
    connection: Connection, query: str, parameters: Mapping[str, Any]
) -> AsyncGenerator[LoggedEvent, None]:
    """Yield the events that a query of this package finds, through a cursor on the server.

    Args:
        connection: In a transaction, without which Postgres keeps no cursor.
        query: Name of the query.
        parameters: Its parameters.
    """
    name = f"events_{new_id().hex}"
    async with connection.cursor(name, row_factory=dict_row) as cursor:
        cursor.itersize = FETCHED
        await cursor.execute(QUERIES[query], parameters)
        async for row in cursor:
            yield LoggedEvent(**row)
