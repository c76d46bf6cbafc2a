"""Payments in Postgres: one row for each order, as it stands now."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from consumers.payments.domain import Payment, Status
from schemas.messages.payments import DeclineReason
from tailrace import Connection, columns, load_queries

QUERIES = load_queries(__package__)
COLUMNS = tuple(field.name for field in fields(Payment))


async def claim(connection: Connection, payments: Sequence[Payment]) -> set[UUID]:
    """Write payments; return the orders that had none before."""
    cursor = await connection.execute(
        QUERIES["claim"], columns([_values(each) for each in payments])
    )
    return {order_id for (order_id,) in await cursor.fetchall()}


async def lock(connection: Connection, orders: Collection[UUID]) -> list[Payment]:
    """Return the payments of orders that have one, and keep others from changing them until the transaction ends."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(QUERIES["lock"], {"order_ids": list(orders)})
        return [_payment(row) for row in await cursor.fetchall()]


async def update(connection: Connection, payments: Sequence[Payment]) -> None:
    if payments:
        await connection.execute(QUERIES["update"], columns([_values(each) for each in payments]))


def _payment(row: dict[str, Any]) -> Payment:
    reason = row["decline_reason"]
    return Payment(
        **row
        | {
            "status": Status(row["status"]),
            "decline_reason": DeclineReason(reason) if reason else None,
        }
    )


def _values(payment: Payment) -> dict[str, Any]:
    # not `asdict`, which copies each value: that took a tenth of this consumer's time
    return {name: getattr(payment, name) for name in COLUMNS} | {
        "status": payment.status.value,
        "decline_reason": payment.decline_reason and payment.decline_reason.value,
    }
