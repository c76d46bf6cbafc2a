"""Orders in Postgres: one row each, as they stand now."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from cdc.database import Connection
from cdc.ids import new_id
from cdc.sql import load_queries
from producers.orders.domain import Order, Progress, Status
from schemas.messages.orders import Fulfilment, OrderLine, Pricing

QUERIES = load_queries(__package__)
_LINES, _PRICING = TypeAdapter(tuple[OrderLine, ...]), TypeAdapter(Pricing)
"""How they stand in the columns of JSON; an order as a whole is put together faster by hand."""
FETCHED = 500  # rows that are asked of Postgres at a time where all are read


async def add(connection: Connection, order: Order) -> None:
    values = {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "status": order.status.value,
        "currency": order.currency,
        "lines": Jsonb(_LINES.dump_python(order.lines, mode="json", exclude_defaults=True)),
        "total": order.total,
        "placed_at": order.placed_at,
        "updated_at": order.updated_at,
        "version": order.version,
        "fulfilment": order.fulfilment.value,
        "pricing": order.pricing and Jsonb(_PRICING.dump_python(order.pricing, mode="json")),
    }
    await connection.execute(QUERIES["add"], values)


async def get(connection: Connection, order_id: UUID) -> Order | None:
    found = await get_many(connection, [order_id])
    return found[0] if found else None


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


def _order(row: Mapping[str, Any]) -> Order:
    return Order(
        **{
            **row,
            "lines": _LINES.validate_python(row["lines"]),
            "status": Status(row["status"]),
            "fulfilment": Fulfilment(row["fulfilment"]),
            "pricing": row["pricing"] and _PRICING.validate_python(row["pricing"]),
        }
    )
