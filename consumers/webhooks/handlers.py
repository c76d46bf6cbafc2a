"""What webhooks does about each event: a delivery for every endpoint that wants to hear of it, to be sent later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from pydantic_core import to_jsonable_python

from producers.webhooks.events import EVENT_TYPES
from producers.webhooks.handlers import body_of
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated
from tailrace import BulkWork, Received, columns, handles_in_bulk, load_queries

QUERIES = load_queries(__package__)

MOST_BYTES = 20_000
"""Most bytes of a body; what would be larger names the order alone, which can be asked for."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an endpoint wants to hear of."""

    endpoint_id: UUID
    event_types: Sequence[str]
    filter: Mapping[str, Sequence[str]]
    created_at: datetime

    def fits(self, event_type: str, event_at: datetime, data: Mapping[str, Any]) -> bool:
        """Tell whether an event is wanted; what was before the endpoint is not."""
        return (
            event_type in self.event_types
            and event_at >= self.created_at
            and all(_text(data.get(field)) in values for field, values in self.filter.items())
        )


@handles_in_bulk(OrderCreated, OrderConfirmed, OrderCancelled)
async def note(received: Sequence[Received[Any]], work: BulkWork) -> None:
    """Note what is to be delivered to whom; nothing is sent before that is committed."""
    async with work.connection.cursor(row_factory=class_row(Wish)) as cursor:
        await cursor.execute(QUERIES["endpoints"])
        wishes = await cursor.fetchall()
    rows = [row for each in received for row in _rows(each, wishes)] if wishes else []
    if rows:
        await work.connection.execute(QUERIES["add"], columns(rows))


def _rows(received: Received[Any], wishes: Sequence[Wish]) -> list[dict[str, Any]]:
    event_type = EVENT_TYPES[type(received.message)]
    timestamp = (dict(received.record.headers)["ce_time"] or b"").decode()
    event_at = datetime.fromisoformat(timestamp)
    data = to_jsonable_python(received.message)
    told = [wish for wish in wishes if wish.fits(event_type, event_at, data)]
    if not told:
        return []
    delivery = received.delivery
    row = {
        "webhook_id": delivery.message_id,
        "event_type": event_type,
        "key": delivery.key,
        "event_at": event_at,
        "body": fitting_body(event_type, timestamp, data, {"order_id": delivery.key}),
        "traceparent": received.recorded_traceparent,
    }
    return [row | {"endpoint_id": wish.endpoint_id} for wish in told]


def fitting_body(
    event_type: str, timestamp: str, data: Mapping[str, Any], thin: Mapping[str, Any]
) -> str:
    """Return the body with all data if it is small enough, and else with what names the thing alone."""
    body = body_of(event_type, timestamp, data)
    return body if len(body.encode()) < MOST_BYTES else body_of(event_type, timestamp, thin)


def _text(value: Any) -> str:
    """Return a value as a filter spells it: as the body does, without quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
