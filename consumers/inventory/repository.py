"""Stock and reservations in Postgres, many rows at once."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from consumers.inventory.domain import Items, Reservation, Status
from tailrace import Connection, load_queries, new_id

QUERIES = load_queries(__package__)


async def note_ordered(
    connection: Connection, orders: Mapping[UUID, Items], at: datetime
) -> list[Reservation]:
    """Note what was ordered; return the reservations that this was news for."""
    return await _reservations(connection, "note_ordered", _new(orders) | _items(orders, at))


async def note_paid(
    connection: Connection, orders: Collection[UUID], at: datetime
) -> list[Reservation]:
    """Note which orders are paid; return the reservations that this was news for."""
    return await _reservations(connection, "note_paid", _new(orders) | {"at": at})


async def ask(
    connection: Connection, orders: Mapping[UUID, Items], at: datetime
) -> list[Reservation]:
    """Begin the reservations of orders; return those of orders that had none."""
    return await _reservations(connection, "ask", _new(orders) | _items(orders, at))


async def find(connection: Connection, orders: Collection[UUID]) -> list[Reservation]:
    """Return the reservations of orders that have one."""
    return await _reservations(connection, "find", {"order_ids": list(orders)})


async def settle(connection: Connection, settled: Sequence[Reservation], at: datetime) -> None:
    values = {
        "reservation_ids": [each.reservation_id for each in settled],
        "statuses": [each.status.value for each in settled],
        "missing": [Jsonb(each.missing) for each in settled],
        "versions": [each.version for each in settled],
        "at": at,
    }
    await connection.execute(QUERIES["settle"], values)


async def release(
    connection: Connection, orders: Collection[UUID], at: datetime, *, events: int
) -> list[Reservation]:
    """Undo reservations, also those that nobody has asked for yet; return those that this has changed.

    Args:
        events: How many events will tell of each that is released.
    """
    values = _new(orders) | {"at": at, "events": events}
    return await _reservations(connection, "release", values)


async def ship(connection: Connection, orders: Collection[UUID], at: datetime) -> list[Reservation]:
    """Note which orders have left; return the reservations that this has changed."""
    return await _reservations(connection, "ship", {"order_ids": list(orders), "at": at})


async def lock_stock(connection: Connection, skus: Iterable[str], default: int) -> dict[str, int]:
    """Return what is on hand of articles, and keep others from it until the transaction ends.

    Args:
        default: Units of an article that was never stocked.
    """
    wanted = sorted(set(skus))
    locked = await _locked(connection, wanted)
    if len(locked) < len(wanted):
        values = {"skus": wanted, "units": default}
        await connection.execute(QUERIES["stock_by_default"], values)
        locked = await _locked(connection, wanted)
    return locked


async def _locked(connection: Connection, skus: Sequence[str]) -> dict[str, int]:
    cursor = await connection.execute(QUERIES["lock_stock"], {"skus": skus})
    return dict(await cursor.fetchall())


async def on_hand(connection: Connection, skus: Sequence[str]) -> dict[str, int]:
    """Return what is on hand of articles that were ever stocked."""
    cursor = await connection.execute(QUERIES["on_hand"], {"skus": list(skus)})
    return dict(await cursor.fetchall())


async def move(
    connection: Connection, reservations: Iterable[Reservation], *, from_: str, to: str
) -> None:
    """Move the items of reservations from one count of the stock to another: `on_hand`, `reserved`, `shipped`."""
    units: Counter[str] = Counter()
    for each in reservations:
        units.update(each.items or {})
    if not units:
        return
    skus = sorted(units)
    moved = [units[sku] for sku in skus]
    values = {name: [0] * len(skus) for name in ("on_hand", "reserved", "shipped")}
    values |= {from_: [-each for each in moved], to: moved}
    await connection.execute(QUERIES["move"], {"skus": skus, **values})


async def top_up(connection: Connection, sku: str, units: int) -> None:
    await connection.execute(QUERIES["top_up"], {"sku": sku, "units": units})


def _new(orders: Collection[UUID]) -> dict[str, Any]:
    return {"reservation_ids": [new_id() for _ in orders], "order_ids": list(orders)}


def _items(orders: Mapping[UUID, Items], at: datetime) -> dict[str, Any]:
    return {"items": [Jsonb(each) for each in orders.values()], "at": at}


async def _reservations(
    connection: Connection, query: str, values: Mapping[str, Any]
) -> list[Reservation]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(QUERIES[query], values)
        rows = await cursor.fetchall()
    return [
        Reservation(**row | {"status": Status(row["status"]), "missing": tuple(row["missing"])})
        for row in rows
    ]
