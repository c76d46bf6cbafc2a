"""Orders in Postgres: one row each, as they stand now."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from cdc.database import Connection
from cdc.ids import new_id
from cdc.sql import load_queries
from producers.orders.domain import Order, Progress, Status
from schemas.messages.orders import Fulfilment, OrderLine, Pricing

QUERIES = load_queries(__package__)
FETCHED = 500  # rows that are asked of Postgres at a time where all are read


async def add(connection: Connection, order: Order) -> None:
    values = {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "status": order.status.value,
        "currency": order.currency,
        "lines": Jsonb([_line_to_json(line) for line in order.lines]),
        "total": order.total,
        "placed_at": order.placed_at,
        "updated_at": order.updated_at,
        "version": order.version,
        "fulfilment": order.fulfilment.value,
        "pricing": None if order.pricing is None else Jsonb(_pricing_to_json(order.pricing)),
    }
    await connection.execute(QUERIES["add"], values)


async def get(connection: Connection, order_id: UUID) -> Order | None:
    return await _one(connection, "get", order_id)


async def lock(connection: Connection, order_ids: Sequence[UUID]) -> list[Order]:
    """Return those orders that there are, and keep others from changing them until the transaction ends."""
    return await _many(connection, "lock", {"order_ids": list(order_ids)})


async def get_many(connection: Connection, order_ids: Sequence[UUID]) -> list[Order]:
    return await _many(connection, "get_many", {"order_ids": list(order_ids)})


async def changed(connection: Connection, seen: Mapping[UUID, int]) -> list[Order]:
    """Return those orders that have come past the version that was seen of them."""
    values = {"order_ids": list(seen), "versions": list(seen.values())}
    return await _many(connection, "changed", values)


async def ids(connection: Connection) -> AsyncGenerator[str, None]:
    """Yield the ids of all orders; a transaction has to be open."""
    async with connection.cursor(f"orders_{new_id().hex}") as cursor:
        cursor.itersize = FETCHED
        await cursor.execute(QUERIES["ids"])
        async for (order_id,) in cursor:
            yield str(order_id)


async def update(connection: Connection, order: Order) -> None:
    """Write what can change about an order that `lock` returned."""
    values = {
        "order_id": order.order_id,
        "status": order.status.value,
        "payment_id": order.payment_id,
        "cancel_reason": order.cancel_reason,
        "updated_at": order.updated_at,
        "version": order.version,
    }
    await connection.execute(QUERIES["update"], values)


async def note(
    connection: Connection, news: Mapping[UUID, Progress]
) -> list[tuple[Order, Progress]]:
    """Add to what is known of orders' fulfilment; return those there are, locked, each with all that is known of it.

    What was heard first stays.
    """
    values = {
        "order_id": list(news),
        "paid_by": [each.payment_id for each in news.values()],
        "sent_as": [each.shipment_id for each in news.values()],
    }
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(QUERIES["note"], values)
        rows = await cursor.fetchall()
    return [
        (_order(row), Progress(payment_id=paid_by, shipment_id=sent_as))
        for row in rows
        for paid_by, sent_as in [(row.pop("paid_by"), row.pop("sent_as"))]
    ]


async def _many(connection: Connection, query: str, values: Mapping[str, Any]) -> list[Order]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(QUERIES[query], values)
        return [_order(row) async for row in cursor]


async def _one(connection: Connection, query: str, order_id: UUID) -> Order | None:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(QUERIES[query], {"order_id": order_id})
        row = await cursor.fetchone()
    return None if row is None else _order(row)


def _order(row: Mapping[str, Any]) -> Order:
    lines = tuple(_line_from_json(line) for line in row["lines"])
    return Order(
        **{
            **row,
            "lines": lines,
            "status": Status(row["status"]),
            "fulfilment": Fulfilment(row["fulfilment"]),
            "pricing": row["pricing"] and _pricing_from_json(row["pricing"]),
        }
    )


def _pricing_to_json(pricing: Pricing) -> dict[str, Any]:
    return {
        "tier": pricing.tier,
        "is_fallback": pricing.is_fallback,
        "discount": str(pricing.discount),
    }


def _pricing_from_json(pricing: Mapping[str, Any]) -> Pricing:
    return Pricing(
        tier=pricing["tier"],
        is_fallback=pricing["is_fallback"],
        discount=Decimal(pricing["discount"]),
    )


def _line_to_json(line: OrderLine) -> dict[str, Any]:
    values: dict[str, Any] = {
        "sku": line.sku,
        "quantity": line.quantity,
        "unit_price": str(line.unit_price),
    }
    if line.tax_rate is not None:
        values |= {"tax_rate": str(line.tax_rate), "tax": str(line.tax)}
    if line.digital:
        values["digital"] = True
    return values


def _line_from_json(line: Mapping[str, Any]) -> OrderLine:
    return OrderLine(
        sku=line["sku"],
        quantity=line["quantity"],
        unit_price=Decimal(line["unit_price"]),
        tax_rate=Decimal(line["tax_rate"]) if "tax_rate" in line else None,
        tax=Decimal(line["tax"]) if "tax" in line else None,
        digital=line.get("digital", False),
    )
