"""The workers: a transaction a message."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from tests.bench.e2e.with_faststream.sending import send
from tests.bench.e2e.with_faststream.settings import KAFKA, NAME, engine
from tests.bench.e2e.with_faststream.tables import (
    Inbox,
    Order,
    OrdersPerMinute,
    Payment,
    Reservation,
    Shipment,
    Stock,
)

AT_ONCE = 6

Handle = Callable[[AsyncSession, str, dict[str, Any]], Awaitable[None]]


async def pay(session: AsyncSession, name: str, order: dict[str, Any]) -> None:
    """Take the payment for a new order."""
    if name == "OrderCreated":
        session.add(Payment(order_id=UUID(order["order_id"]), amount=Decimal(order["total"])))
        await send(session, "payments", "PaymentCompleted", order)


async def reserve(session: AsyncSession, name: str, order: dict[str, Any]) -> None:
    """Set aside what was paid, unless there is nothing to send."""
    if name != "PaymentCompleted" or _is_digital(order):
        return
    try:
        async with session.begin_nested():
            for line in sorted(order["lines"], key=lambda line: line["sku"]):
                wanted = update(Stock).where(Stock.sku == line["sku"])
                left = Stock.available - line["quantity"]
                await session.execute(wanted.values(available=left))
    except IntegrityError:
        await send(session, "reservations", "OutOfStock", order)
        return
    session.add(Reservation(order_id=UUID(order["order_id"]), lines=order["lines"]))
    await send(session, "reservations", "ItemsReserved", order)


async def ship(session: AsyncSession, name: str, order: dict[str, Any]) -> None:
    """Send what is set aside."""
    if name == "ItemsReserved":
        session.add(Shipment(order_id=UUID(order["order_id"])))
        await send(session, "shipments", "ShipmentCreated", order)


async def confirm(session: AsyncSession, name: str, order: dict[str, Any]) -> None:
    """Confirm an order of which nothing remains to be done."""
    if name == "ShipmentCreated" or (name == "PaymentCompleted" and _is_digital(order)):
        pending = update(Order).where(
            Order.order_id == UUID(order["order_id"]), Order.status == "pending"
        )
        await session.execute(pending.values(status="confirmed"))
        await send(session, "orders", "OrderConfirmed", order)


async def count(session: AsyncSession, name: str, _: dict[str, Any]) -> None:
    """Count events by the minute."""
    minute = func.date_trunc("minute", func.clock_timestamp())
    new = insert(OrdersPerMinute).values(minute=minute, status=name, orders=1)
    more = {"orders": OrdersPerMinute.orders + 1}
    await session.execute(new.on_conflict_do_update(index_elements=["minute", "status"], set_=more))


def _is_digital(order: dict[str, Any]) -> bool:
    return all(line["digital"] for line in order["lines"])


WORKERS: dict[str, tuple[Handle, tuple[str, ...]]] = {
    "payments": (pay, ("orders",)),
    "inventory": (reserve, ("payments",)),
    "shipping": (ship, ("reservations",)),
    "orders": (confirm, ("payments", "shipments")),
    "analytics": (count, ("orders", "payments")),
}


def application(worker: str) -> FastStream:
    """Return a worker, which takes its partitions side by side."""
    handle, topics = WORKERS[worker]
    kafka = KafkaBroker(KAFKA, logger=None)
    sessions = async_sessionmaker(engine(AT_ONCE * len(topics)), expire_on_commit=False)

    async def take(body: dict[str, Any], message: KafkaMessage) -> None:
        async with sessions() as session, session.begin():
            new = insert(Inbox).values(consumer=worker, message_id=message.headers["ce_id"])
            admitted = await session.execute(
                new.on_conflict_do_nothing().returning(Inbox.message_id)
            )
            if admitted.first():
                await handle(session, message.headers["ce_type"], body)

    for topic in topics:
        kafka.subscriber(
            f"{NAME}.{topic}",
            group_id=f"{NAME}-{worker}",
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.NACK_ON_ERROR,
            max_workers=AT_ONCE,
        )(take)
    return FastStream(kafka, logger=None)


if __name__ == "__main__":
    asyncio.run(application(sys.argv[1]).run())
