"""Which kinds of aggregate have an event log, in whose schema, and what their services declare of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from cdc.database import Connection, connect_async
from cdc.event_log import EventLog, Fold
from cdc.event_log.verification import Rows
from cdc.manifest import Service
from infra.deployment import Deployment
from infra.services import SCHEMAS, SERVICES
from schemas.catalogue import catalogue
from schemas.registry import SchemaStore


@dataclass(frozen=True, slots=True)
class LoggedAggregate:
    """A kind of aggregate whose events are in an outbox."""

    name: str  # kind, such as `order`
    role: str  # service that owns it: name of its schema, and of the role that may read it
    # how a state follows from the events; None where the service declares none
    fold: Fold[Any] | None = None
    rows: Rows[Any] | None = None  # the rows that must say the same; None where there is no fold


def logged_kinds() -> Mapping[str, LoggedAggregate]:
    """Return every kind of aggregate that has a log, by name, in the catalogue's order."""
    declared = {fold.kind: (fold, rows) for fold, rows in map(_declared, SERVICES) if fold}
    return {
        topic.aggregate: LoggedAggregate(
            topic.aggregate, topic.owner, *declared.get(topic.aggregate, (None, None))
        )
        for topic in catalogue().topics.values()
        if topic.kind == "events" and topic.owner in SCHEMAS and topic.messages
    }


def _declared(service: Service) -> tuple[Fold[Any], Rows[Any]] | tuple[None, None]:
    name = f"{service.package}.event_log"
    if find_spec(name) is None:
        return None, None
    fold, rows = import_module(name).declare()
    return fold, rows


@asynccontextmanager
async def open_log(deployment: Deployment, kind: LoggedAggregate) -> AsyncIterator[Connection]:
    """Connect to the schema that holds a log, as the service that owns it, until the block ends."""
    url = deployment.database_url(kind.role)
    async with await connect_async(url) as connection:
        yield connection


def event_log(deployment: Deployment, fold: Fold[Any]) -> EventLog[Any]:
    return EventLog(fold, SchemaStore(deployment.registry, deployment.schema_cache))
