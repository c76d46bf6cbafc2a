"""Folds events into projections: orders and revenue per minute, sign-ups per day."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from schemas.messages.as_read_by_analytics_worker import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    UserSignedUp,
)
from tailrace import BulkWork, Connection, Received, handles_in_bulk, load_queries

QUERIES = load_queries(__package__)

Moment = tuple[datetime, str]
"""When something happened, and the currency of the order that it happened to."""


@handles_in_bulk(OrderCreated)
async def count_placed(received: Sequence[Received[OrderCreated]], work: BulkWork) -> None:
    orders = [each.message for each in received]
    await _add(
        work.connection, "add_placed", ((order.placed_at, order.currency) for order in orders)
    )


@handles_in_bulk(OrderConfirmed)
async def count_confirmed(received: Sequence[Received[OrderConfirmed]], work: BulkWork) -> None:
    orders = [each.message for each in received]
    revenue: defaultdict[Moment, Decimal] = defaultdict(Decimal)
    for order in orders:
        revenue[_minute(order.confirmed_at), order.currency] += order.total
    moments = ((order.confirmed_at, order.currency) for order in orders)
    await _add(work.connection, "add_confirmed", moments, revenue)


@handles_in_bulk(OrderCancelled)
async def count_cancelled(received: Sequence[Received[OrderCancelled]], work: BulkWork) -> None:
    orders = [each.message for each in received]
    await _add(
        work.connection, "add_cancelled", ((order.cancelled_at, order.currency) for order in orders)
    )


@handles_in_bulk(UserSignedUp)
async def count_signed_up(received: Sequence[Received[UserSignedUp]], work: BulkWork) -> None:
    counts = Counter(_day(each.message.signed_up_at) for each in received)
    days = sorted(counts)
    await work.connection.execute(
        QUERIES["add_signed_up"], {"days": days, "counts": [counts[day] for day in days]}
    )


async def _add(
    connection: Connection,
    query: str,
    moments: Iterable[Moment],
    revenue: Mapping[Moment, Decimal] | None = None,
) -> None:
    counts = Counter((_minute(at), currency) for at, currency in moments)
    # in one order, so that two workers that add to the same minutes do not wait for each other in a circle
    minutes = sorted(counts)
    await connection.execute(
        QUERIES[query],
        {
            "minutes": [minute for minute, _ in minutes],
            "currencies": [currency for _, currency in minutes],
            "counts": [counts[minute] for minute in minutes],
            "revenues": [(revenue or {}).get(minute, Decimal(0)) for minute in minutes],
        },
    )


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _day(moment: datetime) -> datetime:
    """Return the beginning of a day, by UTC."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
