"""The participants of a fulfilment in tests: each on tables of its own, and what they are told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from cdc.ids import new_id
from consumers.inventory import bootstrap as inventory
from consumers.payments import bootstrap as payments
from consumers.runtime.outside import Outside, RealOutside
from consumers.shipping import bootstrap as shipping
from consumers.testing.records import NewRecord, deliver
from infra.processes import settings_of
from infra.services import find_service
from schemas.message import Message
from schemas.messages.inventory import Item, ItemsReserved
from schemas.messages.orders import (
    Fulfilment,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderLine,
)
from schemas.messages.payments import PaymentCompleted
from tailrace import PostgresDatabase, Scenario
from tests.stack import RunningStack

MOMENT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
REPLIES = "fulfilment.replies"
PARTICIPANTS = {"payments": payments, "inventory": inventory, "shipping": shipping}


@asynccontextmanager
async def playing(
    stack: RunningStack, name: str, outside: Outside | None = None, **settings: object
) -> AsyncIterator[Scenario[Any]]:
    """Play a scenario of a participant; its settings are those of the stack unless they are given."""
    bootstrap = PARTICIPANTS[name]
    service = find_service(f"{name}-worker")
    told = settings_of(service, bootstrap.Settings, stack.deployment, **settings)
    database = PostgresDatabase(
        owner_url=stack.database_url("tailrace_owner"),
        url=told.database_url,
        packages=[f"consumers.{name}.migrations"],
    )
    async with database:
        yield Scenario(bootstrap.create_consumer(told, outside or RealOutside()), database)


def line(sku: str = "book", quantity: int = 1, *, digital: bool = False) -> OrderLine:
    return OrderLine(sku=sku, quantity=quantity, unit_price=Decimal(5), digital=digital)


def placed(*lines: OrderLine, customer_id: str = "ada", **changes: Any) -> OrderCreated:
    lines = lines or (line(),)
    values: dict[str, Any] = {
        "order_id": new_id(),
        "customer_id": customer_id,
        "currency": "EUR",
        "lines": lines,
        "total": sum((each.quantity * each.unit_price for each in lines), Decimal(0)),
        "placed_at": MOMENT,
    }
    return OrderCreated(**values | changes)


def orchestrated(*lines: OrderLine) -> OrderCreated:
    return placed(*lines, fulfilment=Fulfilment.ORCHESTRATION)


def paid(order: OrderCreated) -> PaymentCompleted:
    return PaymentCompleted(
        payment_id=new_id(),
        order_id=order.order_id,
        currency=order.currency,
        amount=order.total,
        completed_at=MOMENT,
    )


def reserved(order: OrderCreated) -> ItemsReserved:
    return ItemsReserved(
        reservation_id=new_id(),
        order_id=order.order_id,
        items=tuple(Item(sku=each.sku, quantity=each.quantity) for each in order.lines),
        reserved_at=MOMENT,
    )


def cancelled(order: OrderCreated) -> OrderCancelled:
    return OrderCancelled(
        order_id=order.order_id,
        reason="customer_request",
        currency=order.currency,
        total=order.total,
        cancelled_at=MOMENT,
    )


def confirmed(order: OrderCreated) -> OrderConfirmed:
    return OrderConfirmed(
        order_id=order.order_id,
        payment_id=new_id(),
        currency=order.currency,
        total=order.total,
        confirmed_at=MOMENT,
    )


def command(message: Message, order_id: UUID) -> NewRecord:
    """Return the record of a command that wants an answer."""
    return deliver(message, key=str(order_id), reply_to=REPLIES)


def replies(scenario: Scenario[Any]) -> list[str]:
    """Return what was answered, by the names of the classes."""
    return [type(each.message).__name__ for each in scenario.outbox if each.topic == REPLIES]


def statuses(scenario: Scenario[Any], table: str) -> dict[UUID, str]:
    """Return where the rows of a participant stand, by the order's id."""
    return {row["order_id"]: row["status"] for row in scenario.state[table]}
