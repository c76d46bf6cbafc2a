"""Which kinds of aggregate have an event log, in whose schema, and what their services declare of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from cdc.database import Connection, connect_async
from cdc.event_log import EventLog, Fold
from cdc.event_log.verification import Rows
from infra.services import SCHEMAS
from infra.settings import Settings
from producers.orders.event_log import OrderRows, orders_fold
from schemas.catalogue import catalogue
from schemas.registry import SchemaStore


@dataclass(frozen=True, slots=True)
class LoggedKind:
    """A kind of aggregate whose events are in an outbox.

    Args:
        name: Kind, such as `order`.
        role: Service that owns it: name of its schema, and of the role that may read it.
        fold: How a state follows from the events; None where the service declares none.
        rows: The rows that must say the same; None where there is no fold.
    """

    name: str
    role: str
    fold: Fold[Any] | None = None
    rows: Rows[Any] | None = None


def logged_kinds() -> Mapping[str, LoggedKind]:
    """Return every kind of aggregate that has a log, by name, in the catalogue's order."""
    declared = {fold.kind: (fold, rows) for fold, rows in ((orders_fold(), OrderRows()),)}
    return {
        topic.aggregate: LoggedKind(
            topic.aggregate, topic.owner, *declared.get(topic.aggregate, (None, None))
        )
        for topic in catalogue().topics.values()
        if topic.owner in SCHEMAS and topic.messages
    }


@asynccontextmanager
async def open_log(settings: Settings, kind: LoggedKind) -> AsyncIterator[Connection]:
    """Connect to the schema that holds a log, as the service that owns it, until the block ends.

    Raises:
        psycopg.Error: the database does not let us in.
    """
    url = settings.database_url(kind.role)
    async with await connect_async(url) as connection:
        yield connection


def event_log(settings: Settings, fold: Fold[Any]) -> EventLog[Any]:
    """Return the log of a kind of aggregate as states."""
    return EventLog(fold, SchemaStore(settings.registry_url, settings.schema_cache))
