"""What orders and payments tell of sales, noted as facts that reports are made of."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated
from schemas.messages.payments import PaymentRefunded
from tailrace import BulkWork, Connection, Received, columns, handles_in_bulk, load_queries

QUERIES = load_queries(__package__)


class Sale(NamedTuple):
    """A row of `sale`."""

    order_id: UUID
    what: str
    at: datetime
    currency: str
    amount: Decimal
    reason: str | None = None


@handles_in_bulk(OrderCreated)
async def note_placed(received: Sequence[Received[OrderCreated]], work: BulkWork) -> None:
    orders = [each.message for each in received]
    await _note(
        work.connection,
        (Sale(o.order_id, "placed", o.placed_at, o.currency, o.total) for o in orders),
    )
    lines = [
        {"order_id": o.order_id, "sku": sku, "amount": amount}
        for o in orders
        for sku, amount in line_amounts(o).items()
    ]
    if lines:
        await work.connection.execute(QUERIES["note_lines"], columns(lines))


@handles_in_bulk(OrderConfirmed)
async def note_confirmed(received: Sequence[Received[OrderConfirmed]], work: BulkWork) -> None:
    orders = [each.message for each in received]
    await _note(
        work.connection,
        (Sale(o.order_id, "confirmed", o.confirmed_at, o.currency, o.total) for o in orders),
    )


@handles_in_bulk(OrderCancelled)
async def note_cancelled(received: Sequence[Received[OrderCancelled]], work: BulkWork) -> None:
    orders = [each.message for each in received]
    await _note(
        work.connection,
        (
            Sale(o.order_id, "cancelled", o.cancelled_at, o.currency, o.total, o.reason)
            for o in orders
        ),
    )


@handles_in_bulk(PaymentRefunded)
async def note_refunded(received: Sequence[Received[PaymentRefunded]], work: BulkWork) -> None:
    """Note what was given back; of a payment that was called off before it was taken there is nothing."""
    payments = [each.message for each in received]
    await _note(
        work.connection,
        (
            Sale(p.order_id, "refunded", p.refunded_at, p.currency, p.amount)
            for p in payments
            if p.currency is not None and p.amount is not None
        ),
    )


def line_amounts(order: OrderCreated) -> dict[str, Decimal]:
    """Return what the lines of each article come to, with their tax; together they are the total."""
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in order.lines:
        amounts[line.sku] += line.quantity * line.unit_price + (line.tax or 0)
    return amounts


async def _note(connection: Connection, sales: Iterable[Sale]) -> None:
    if rows := [each._asdict() for each in sales]:
        await connection.execute(QUERIES["note"], columns(rows))
