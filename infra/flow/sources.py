"""What the database holds of a flow: outboxes, inboxes, and what is parked, each read as the service that owns it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from cdc.database import connect
from cdc.envelope import COLUMNS, OutboxRow
from cdc.kafka_record import Place
from cdc.reconciliation.inboxes import QUERIES as INBOX_QUERIES
from cdc.sql import load_queries
from infra.deployment import Deployment
from infra.flow.tree import Sent
from infra.services import CONSUMER_ROLES, OUTBOXES, RELAY
from schemas.catalogue import catalogue

QUERIES = load_queries(__package__)
SESSION = {
    "default_transaction_read_only": "on",
    "statement_timeout": "60s",
    # of a Bloom filter over ids in no order the planner expects nothing, and would read the whole table
    "enable_seqscan": "off",
}
MOST_CORRELATIONS = 50

Connection = psycopg.Connection[Any]


class Located(NamedTuple):
    """Where the record of a message lies, and when it was made."""

    place: Place
    offset: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedThere:
    """That a consumer has put a message aside; one that is stashed waits for a lock, and its error says for which."""

    state: Literal["retrying", "dead", "behind", "stashed"]
    at: datetime
    attempts: int
    error: str
    record: Located


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedThere:
    """That somebody has decided that a message is to have no effect on a consumer."""

    at: datetime
    actor: str
    why: str
    record: Located


@dataclass(slots=True)
class Inbox:
    """What a schema holds of what its consumers have done about some messages."""

    taken: set[tuple[str, UUID]] = field(default_factory=set)
    parked: dict[tuple[str, UUID], ParkedThere] = field(default_factory=dict)
    skipped: dict[tuple[str, UUID], SkippedThere] = field(default_factory=dict)
    positions: dict[tuple[str, Place], int] = field(default_factory=dict)
    first_id: UUID | None = None  # smaller ids are not remembered; None when all are


class Sources:
    """Reads the schemas of all services; build it with `open_sources`.

    Args:
        connections: Schema -> what leads to it.
        relays: Those of them in which relays note what they set aside, one in each database.
    """

    def __init__(self, connections: Mapping[str, Connection], relays: Sequence[str]) -> None:
        self._connections = connections
        self._relays = relays

    def correlations_of_aggregate(self, aggregate_id: str) -> list[UUID]:
        """Return the correlations of the events of whatever has this id, in the order in which they began."""
        found = []
        for schema in OUTBOXES:
            kinds = [
                topic.aggregate
                for topic in catalogue().topics.values()
                if topic.owner == schema and topic.kind == "events"
            ]
            parameters = {"kinds": kinds, "id": aggregate_id, "limit": MOST_CORRELATIONS}
            rows = self._rows(schema, "correlations_of_aggregate", parameters)
            found += [row["correlation_id"] for row in rows]
        return found

    def correlations_of_message(self, message_id: UUID) -> list[UUID]:
        return [
            row["correlation_id"]
            for schema in OUTBOXES
            for row in self._rows(schema, "correlations_of_message", {"id": message_id})
        ]

    def messages(self, correlation_id: UUID, limit: int) -> list[Sent]:
        """Return the messages of a correlation, at most so many of each outbox."""
        parameters = {"correlation_id": correlation_id, "limit": limit}
        return [
            Sent(service=schema, **row)
            for schema in OUTBOXES
            for query in ("messages", "delayed")
            for row in self._rows(schema, query, parameters)
        ]

    def set_aside(self, ids: Sequence[UUID]) -> dict[UUID, str]:
        """Return why Kafka has not taken messages that the relay has set aside."""
        return {
            row["id"]: row["reason"]
            for relay in self._relays
            for row in self._rows(relay, "set_aside", {"ids": ids})
        }

    def inboxes(self, ids: Sequence[UUID]) -> dict[str, Inbox]:
        """Return by schema what consumers have done about messages, and how far they have come."""
        return {role: self._inbox(role, {"ids": ids}) for role in CONSUMER_ROLES}

    def _inbox(self, schema: str, parameters: Mapping[str, Any]) -> Inbox:
        inbox = Inbox()
        for row in self._rows(schema, "taken", parameters):
            inbox.taken.add((row["consumer"], row["message_id"]))
        for row in self._rows(schema, "parked", parameters):
            inbox.parked[row["consumer"], row["message_id"]] = ParkedThere(
                state=row["status"],
                at=row["parked_at"],
                attempts=row["attempts"],
                error=f"{row['error_class'].rpartition('.')[2]}: {row['error_text']}".removeprefix(
                    ": "
                ),
                record=_located(row),
            )
        for row in self._rows(schema, "skipped", parameters):
            inbox.skipped[row["consumer"], row["message_id"]] = SkippedThere(
                at=row["at"], actor=row["actor"], why=row["why"], record=_located(row)
            )
        for row in self._rows(schema, "positions", parameters):
            place = Place(row["topic"], row["partition"])
            inbox.positions[row["consumer"], place] = row["next_offset"]
        [[inbox.first_id]] = self._connections[schema].execute(INBOX_QUERIES["first_id"]).fetchall()
        return inbox

    def _rows(
        self, schema: str, query: str, parameters: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        with self._connections[schema].cursor(row_factory=dict_row) as cursor:
            yield from cursor.execute(QUERIES[query], parameters)


def _located(row: Mapping[str, Any]) -> Located:
    return Located(Place(row["topic"], row["partition"]), row["offset"], row["recorded_at"])


def read_row(deployment: Deployment, schema: str, message_id: UUID) -> OutboxRow | None:
    """Return the row of a message in an outbox; None when it is not there, or not any more."""
    with connect(deployment.database_url(schema), SESSION, autocommit=True) as connection:
        for kind in (
            "event",
            "message",
        ):  # by the primary key of the one, and by `outbox_flow` of the other
            query = sql.SQL("select {} from outbox where kind = %s and id = %s").format(COLUMNS)
            if row := connection.execute(query, [kind, message_id]).fetchone():
                return OutboxRow(*row)
    return None


@contextmanager
def open_sources(deployment: Deployment) -> Iterator[Sources]:
    """Open the schemas of all services, to read and nothing else, until the block ends."""
    relays = {each.label(RELAY): each.url(RELAY) for each in deployment.captures}
    urls = {schema: deployment.database_url(schema) for schema in OUTBOXES} | relays
    with ExitStack() as stack:
        connections = {
            name: stack.enter_context(connect(url, SESSION, autocommit=True))
            for name, url in urls.items()
        }
        yield Sources(connections, [*relays])
