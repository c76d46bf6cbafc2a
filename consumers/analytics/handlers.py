"""Folds the events of orders into the projection of orders and revenue per minute."""

from datetime import datetime
from decimal import Decimal

from cdc.database import Connection
from cdc.sql import load_queries
from consumers.runtime.delivery import Delivery
from schemas.messages.as_read_by_analytics_worker import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
)

QUERIES = load_queries(__package__)


async def count_placed(order: OrderCreated, _: Delivery, connection: Connection) -> None:
    """Count an order in the minute it was placed."""
    await _add(connection, order.placed_at, order.currency, placed=1)


async def count_confirmed(order: OrderConfirmed, _: Delivery, connection: Connection) -> None:
    """Count an order, and what it earned, in the minute it was confirmed."""
    await _add(connection, order.confirmed_at, order.currency, confirmed=1, revenue=order.total)


async def count_cancelled(order: OrderCancelled, _: Delivery, connection: Connection) -> None:
    """Count an order in the minute it was cancelled."""
    await _add(connection, order.cancelled_at, order.currency, cancelled=1)


async def _add(
    connection: Connection,
    at: datetime,
    currency: str,
    *,
    placed: int = 0,
    confirmed: int = 0,
    cancelled: int = 0,
    revenue: Decimal = Decimal(0),
) -> None:
    await connection.execute(
        QUERIES["add"],
        {
            "at": at,
            "currency": currency,
            "placed": placed,
            "confirmed": confirmed,
            "cancelled": cancelled,
            "revenue": revenue,
        },
    )
