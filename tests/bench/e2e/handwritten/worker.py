"""The workers: a transaction for all that one `getmany` brings."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from psycopg import AsyncConnection
from psycopg.errors import CheckViolation

from tests.bench.e2e.handwritten.settings import QUERIES, Settings, run

WAIT_MS = 500


class Event(NamedTuple):
    number: int
    type: str
    value: dict[str, Any]


class Batch(NamedTuple):
    """Events that one call has brought, and the transaction that they take effect in."""

    connection: AsyncConnection[Any]
    settings: Settings
    events: Sequence[Event]

    def values(self, *types: str) -> list[dict[str, Any]]:
        return [event.value for event in self.events if event.type in types]

    async def send(self, topic: str, name: str, values: Sequence[dict[str, Any]]) -> None:
        sent = {
            "keys": [value["order_id"] for value in values],
            "payloads": [json.dumps(value) for value in values],
        }
        about = {"topic": self.settings.topic(topic), "type": name}
        await self.connection.execute(QUERIES["send"], sent | about)


async def pay(batch: Batch) -> None:
    """Take payments for new orders."""
    if created := batch.values("OrderCreated"):
        orders = [order["order_id"] for order in created]
        amounts = [order["total"] for order in created]
        await batch.connection.execute(QUERIES["pay"], {"orders": orders, "amounts": amounts})
        await batch.send("payments", "PaymentCompleted", created)


async def reserve(batch: Batch) -> None:
    """Set aside what was paid, unless there is nothing to send."""
    paid = [order for order in batch.values("PaymentCompleted") if not _is_digital(order)]
    if not paid:
        return
    try:
        async with batch.connection.transaction():
            await _set_aside(batch, paid)
    except CheckViolation:
        for order in paid:
            try:
                async with batch.connection.transaction():
                    await _set_aside(batch, [order])
            except CheckViolation:
                await batch.send("reservations", "OutOfStock", [order])


async def _set_aside(batch: Batch, orders: Sequence[dict[str, Any]]) -> None:
    lines = [line for order in orders for line in order["lines"]]
    wanted = {
        "skus": [line["sku"] for line in lines],
        "quantities": [line["quantity"] for line in lines],
    }
    await batch.connection.execute(QUERIES["reserve"], wanted)
    rows = {
        "orders": [order["order_id"] for order in orders],
        "lines": [json.dumps(order["lines"]) for order in orders],
    }
    await batch.connection.execute(QUERIES["set_aside"], rows)
    await batch.send("reservations", "ItemsReserved", orders)


async def ship(batch: Batch) -> None:
    """Send what is set aside."""
    if reserved := batch.values("ItemsReserved"):
        orders = [order["order_id"] for order in reserved]
        await batch.connection.execute(QUERIES["ship"], {"orders": orders})
        await batch.send("shipments", "ShipmentCreated", reserved)


async def confirm(batch: Batch) -> None:
    """Confirm orders of which nothing remains to be done."""
    paid = [order for order in batch.values("PaymentCompleted") if _is_digital(order)]
    if done := [*paid, *batch.values("ShipmentCreated")]:
        await batch.connection.execute(
            QUERIES["confirm"], {"orders": [order["order_id"] for order in done]}
        )
        await batch.send("orders", "OrderConfirmed", done)


async def count(batch: Batch) -> None:
    """Count events by the minute."""
    types = [event.type for event in batch.events]
    await batch.connection.execute(QUERIES["count"], {"statuses": types})


def _is_digital(order: dict[str, Any]) -> bool:
    return all(line["digital"] for line in order["lines"])


WORKERS: dict[str, tuple[Callable[[Batch], Awaitable[None]], tuple[str, ...]]] = {
    "payments": (pay, ("orders",)),
    "inventory": (reserve, ("payments",)),
    "shipping": (ship, ("reservations",)),
    "orders": (confirm, ("payments", "shipments")),
    "analytics": (count, ("orders", "payments")),
}


async def main(settings: Settings, stopped: asyncio.Event) -> None:
    """Apply what comes until told to stop."""
    name = sys.argv[1]
    handle, topics = WORKERS[name]
    async with (
        AIOKafkaConsumer(
            *map(settings.topic, topics),
            bootstrap_servers=settings.kafka,
            group_id=f"{settings.name}-{name}",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        ) as consumer,
        await AsyncConnection.connect(
            settings.database_url, autocommit=True, options=settings.options
        ) as connection,
    ):
        while not stopped.is_set():
            fetched = await consumer.getmany(timeout_ms=WAIT_MS)
            events = [_event(record) for records in fetched.values() for record in records]
            if not events:
                continue
            async with connection.transaction():
                ids = {"consumer": name, "ids": [event.number for event in events]}
                admitted = await connection.execute(QUERIES["admit"], ids)
                new = {number for (number,) in await admitted.fetchall()}
                if todo := [event for event in events if event.number in new]:
                    await handle(Batch(connection, settings, todo))
            await consumer.commit()


def _event(record: Any) -> Event:
    headers = dict(record.headers)
    return Event(int(headers["ce_id"]), headers["ce_type"].decode(), json.loads(record.value))


if __name__ == "__main__":
    run(main)
