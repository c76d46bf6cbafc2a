"""The workers: a transaction for all that one `getmany` brings."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from psycopg import AsyncConnection

from tests.bench.e2e.handwritten.settings import ORDERS, PAYMENTS, QUERIES, Settings, run

WAIT_MS = 500


class Event(NamedTuple):
    number: int
    type: str
    value: dict[str, Any]


Handle = Callable[[AsyncConnection[Any], Sequence[Event]], Awaitable[None]]


async def pay(connection: AsyncConnection[Any], events: Sequence[Event]) -> None:
    """Take payments for new orders."""
    created = [event.value for event in events if event.type == "OrderCreated"]
    if not created:
        return
    orders = [order["order_id"] for order in created]
    await connection.execute(
        QUERIES["pay"], {"orders": orders, "amounts": [order["total"] for order in created]}
    )
    await _send(connection, PAYMENTS, "PaymentCompleted", created)


async def confirm(connection: AsyncConnection[Any], events: Sequence[Event]) -> None:
    """Confirm orders that were paid."""
    paid = [event.value for event in events]
    orders = [order["order_id"] for order in paid]
    await connection.execute(QUERIES["confirm"], {"orders": orders})
    await _send(connection, ORDERS, "OrderConfirmed", paid)


async def count(connection: AsyncConnection[Any], events: Sequence[Event]) -> None:
    """Count events by the minute."""
    await connection.execute(QUERIES["count"], {"statuses": [event.type for event in events]})


async def _send(
    connection: AsyncConnection[Any], topic: str, name: str, orders: Sequence[dict[str, Any]]
) -> None:
    payloads = [{"order_id": order["order_id"], "total": order["total"]} for order in orders]
    sent = {
        "keys": [order["order_id"] for order in orders],
        "payloads": [json.dumps(payload) for payload in payloads],
    }
    await connection.execute(QUERIES["send"], sent | {"topic": topic, "type": name})


WORKERS: dict[str, tuple[Handle, tuple[str, ...]]] = {
    "payments": (pay, (ORDERS,)),
    "orders": (confirm, (PAYMENTS,)),
    "analytics": (count, (ORDERS, PAYMENTS)),
}


async def main(settings: Settings, stopped: asyncio.Event) -> None:
    """Apply what comes until told to stop."""
    name = sys.argv[1]
    handle, topics = WORKERS[name]
    async with (
        AIOKafkaConsumer(
            *topics,
            bootstrap_servers=settings.kafka,
            group_id=f"handwritten-{name}",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        ) as consumer,
        await AsyncConnection.connect(settings.database_url, autocommit=True) as connection,
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
                    await handle(connection, todo)
            await consumer.commit()


def _event(record: Any) -> Event:
    headers = dict(record.headers)
    return Event(int(headers["ce_id"]), headers["ce_type"].decode(), json.loads(record.value))


if __name__ == "__main__":
    run(main)
