"""The projection of orders per minute in tests: as it is, as it should be, and made wrong on purpose."""

from collections import Counter
from datetime import datetime
from typing import Any

from schemas.codec import Codec
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated
from schemas.registry import SchemaStore
from tests.replays import query
from tests.stack import RunningStack

MOMENT = {
    OrderCreated: ("placed", "placed_at"),
    OrderConfirmed: ("confirmed", "confirmed_at"),
    OrderCancelled: ("cancelled", "cancelled_at"),
}
PROJECTION = "select minute, currency, placed, confirmed, cancelled from orders_per_minute order by minute, currency"

Counts = dict[tuple[datetime, str], tuple[int, ...]]


def from_the_log(stack: RunningStack) -> Counts:
    """Return what the projection should be, counted from the orders' event log by a loop of this test."""
    classes: list[Any] = list(MOMENT)
    codec = Codec(SchemaStore(stack.settings.registry_url, stack.settings.schema_cache), classes)
    counts: Counter[tuple[datetime, str, str]] = Counter()
    events = query(
        stack,
        "tailrace_owner",
        "select payload from orders.outbox_event where topic = 'order.events'"
        " and not exists (select from analytics.parked_message where message_id = id)"
        " and not exists (select from analytics.saga_stash where message_id = id)",
    )
    for (payload,) in events:
        event: Any = codec.decode(payload)
        column, moment = MOMENT[type(event)]
        minute = getattr(event, moment).replace(second=0, microsecond=0)
        counts[minute, event.currency, column] += 1
    columns = [column for column, _ in MOMENT.values()]
    return {
        (minute, currency): tuple(counts[minute, currency, column] for column in columns)
        for minute, currency, _ in sorted(counts)
    }


def live(stack: RunningStack) -> Counts:
    """Return the projection."""
    return {(row[0], row[1]): row[2:] for row in query(stack, "analytics", PROJECTION)}


def corrupt(stack: RunningStack) -> None:
    """Make the projection wrong in every way."""
    owner, table = "tailrace_owner", "analytics.orders_per_minute"
    query(
        stack,
        owner,
        f"update {table} set placed = placed + 5, revenue = revenue * 2 where currency = 'EUR'",
    )
    query(stack, owner, f"delete from {table} where minute in (select max(minute) from {table})")
    query(stack, owner, f"insert into {table} values ('2020-01-01Z', 'ZZZ', 1, 1, 1, 1)")
