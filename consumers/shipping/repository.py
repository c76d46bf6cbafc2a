"""Shipments in Postgres, many rows at once."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from consumers.shipping.domain import Shipment, Status
from tailrace import Connection, load_queries, new_id

QUERIES = load_queries(__package__)


async def create(
    connection: Connection, shipments: Sequence[Shipment], at: datetime
) -> list[Shipment]:
    """Write shipments; return those whose order had none."""
    values = {
        "shipment_ids": [each.shipment_id for each in shipments],
        "order_ids": [each.order_id for each in shipments],
        "statuses": [each.status.value for each in shipments],
        "reasons": [each.reason for each in shipments],
        "items": [Jsonb(each.items) for each in shipments],
        "versions": [each.version for each in shipments],
        "at": at,
    }
    return await _shipments(connection, "create", values)


async def cancel(
    connection: Connection, orders: Collection[UUID], at: datetime, *, events: int
) -> list[Shipment]:
    """Undo shipments, also those that nobody has asked for yet; return those that were sent otherwise.

    Args:
        events: How many events will tell of each.
    """
    values = {
        "shipment_ids": [new_id() for _ in orders],
        "order_ids": list(orders),
        "at": at,
        "events": events,
    }
    changed = await _shipments(connection, "cancel", values)
    return [each for each in changed if each.status is Status.CANCELLED]


async def find(connection: Connection, orders: Collection[UUID]) -> list[Shipment]:
    """Return the shipments of orders that have one."""
    return await _shipments(connection, "find", {"order_ids": list(orders)})


async def _shipments(
    connection: Connection, query: str, values: Mapping[str, Any]
) -> list[Shipment]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(QUERIES[query], values)
        rows = await cursor.fetchall()
    return [Shipment(**row | {"status": Status(row["status"])}) for row in rows]
