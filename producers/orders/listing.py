"""Orders by page, newest first, without their lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from cdc.database import Connection
from producers.orders.domain import Status
from producers.orders.repository import QUERIES

FIRST_ID = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOrder:
    """What a list shows of an order."""

    order_id: UUID
    status: str
    customer_id: str
    currency: str
    total: Decimal
    placed_at: datetime
    updated_at: datetime
    version: int
    payment_id: UUID | None
    cancel_reason: str | None
    fulfilment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which orders a list is of; all where nothing is said."""

    customer_id: str | None = None
    status: str | None = None
    placed_from: datetime | None = None
    placed_before: datetime | None = None


Position = tuple[datetime, UUID]


def position_of(order: ListedOrder) -> Position:
    return order.placed_at, order.order_id


async def find(
    connection: Connection, wanted: Wanted, *, after: Position | None, limit: int
) -> Sequence[ListedOrder]:
    """Return orders, newest first; of those that were placed at the same time, the one with the larger id first.

    Args:
        after: Where the order stands that comes before them; None for the newest.
        limit: How many at most.
    """
    before, before_id = after or (wanted.placed_before or "infinity", FIRST_ID)
    values = {
        "customer_id": wanted.customer_id,
        "statuses": [wanted.status] if wanted.status else [status.value for status in Status],
        "placed_from": wanted.placed_from or "-infinity",
        "before": before,
        "before_id": before_id,
        "limit": limit,
    }
    query = "page" if wanted.customer_id is None else "page_of_customer"
    async with connection.cursor(row_factory=class_row(ListedOrder)) as cursor:
        await cursor.execute(QUERIES[query], values)
        return await cursor.fetchall()
