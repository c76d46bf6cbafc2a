"""The handlers of the project's own consumers on Postgres schemas of their own, and under every fault there is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, UndefinedTable

from cdc.context import MessageContext
from cdc.database import Connection
from cdc.ids import new_id
from cdc.outbox import Outbox
from consumers.analytics import bootstrap as analytics
from consumers.orders import bootstrap as orders
from consumers.payments import bootstrap as payments
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import handles
from consumers.runtime.outside import RealOutside
from consumers.runtime.work import Work
from consumers.testing.postgres import PostgresDatabase
from consumers.testing.records import deliver
from consumers.testing.scenario import Scenario
from consumers.testing.schemas import codec_of_all
from producers.orders import repository
from producers.orders.domain import Order
from schemas.message import Message
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderLine
from schemas.messages.payments import DeclineReason, PaymentCompleted, PaymentFailed
from tests.stack import RunningStack

TIMEOUT_S = 120.0
MINUTE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
NEW_EACH_TIME = ("payment_id", "settled_at", "completed_at", "failed_at")

OnPostgres = Scenario[Any]


def order(total: int = 5, customer_id: str = "ada", at: datetime = MINUTE) -> OrderCreated:
    line = OrderLine(sku="book-1", quantity=1, unit_price=Decimal(total))
    return OrderCreated(
        order_id=new_id(),
        customer_id=customer_id,
        currency="EUR",
        lines=(line,),
        total=Decimal(total),
        placed_at=at,
    )


def confirmed(placed: OrderCreated) -> OrderConfirmed:
    return OrderConfirmed(
        order_id=placed.order_id,
        payment_id=new_id(),
        currency=placed.currency,
        total=placed.total,
        confirmed_at=placed.placed_at + timedelta(minutes=1),
    )


def cancelled(placed: OrderCreated) -> OrderCancelled:
    return OrderCancelled(
        order_id=placed.order_id,
        reason="card_declined",
        currency=placed.currency,
        total=placed.total,
        cancelled_at=placed.placed_at + timedelta(minutes=1),
    )


def paid(placed: OrderCreated) -> PaymentCompleted:
    return PaymentCompleted(
        payment_id=new_id(),
        order_id=placed.order_id,
        currency=placed.currency,
        amount=placed.total,
        completed_at=MINUTE,
    )


def refused(placed: OrderCreated) -> PaymentFailed:
    return PaymentFailed(
        payment_id=new_id(),
        order_id=placed.order_id,
        currency=placed.currency,
        amount=placed.total,
        reason=DeclineReason.CARD_DECLINED,
        failed_at=MINUTE,
    )


def payments_worker(stack: RunningStack) -> Consumer:
    settings = payments.Settings(**surroundings(stack), card_limit=Decimal(100))
    return payments.create_consumer(settings, RealOutside())


def analytics_worker(stack: RunningStack) -> Consumer:
    settings = analytics.Settings(**surroundings(stack))
    declared = analytics.create_consumer(settings, RealOutside())
    return declared.with_options(parallel_partitions=2)  # so that its transactions meet


def orders_worker(stack: RunningStack) -> Consumer:
    return orders.create_consumer(orders.Settings(**surroundings(stack)), RealOutside())


def surroundings(stack: RunningStack) -> dict[str, Any]:
    """Return settings that every worker has; the scenario puts its own database, log and schemas in their place."""
    return {
        "database_url": "",
        "kafka_bootstrap": stack.settings.kafka_bootstrap,
        "registry_url": stack.settings.registry_url,
        "schema_cache": stack.settings.schema_cache,
    }


def play(
    stack: RunningStack,
    role: str,
    make: Callable[[RunningStack], Consumer],
    scene: Callable[[OnPostgres], Awaitable[None]],
    *,
    tables: str = "",
    prepare: Callable[[Connection], Awaitable[None]] | None = None,
) -> None:
    async def run() -> None:
        database = PostgresDatabase(
            owner_url=stack.database_url("tailrace_owner"),
            url=stack.database_url(role),
            packages=[tables or f"consumers.{role}.migrations"],
            prepare=prepare,
        )
        async with database, asyncio.timeout(TIMEOUT_S):
            await scene(Scenario(make(stack), database))

    asyncio.run(run())


def test_payments_charges_each_order_and_tells_what_came_of_it(stack: RunningStack) -> None:
    async def scene(scenario: OnPostgres) -> None:
        small, large, declined = order(5), order(500), order(5, "declined-bob")
        await scenario.when(small, confirmed(small), large, declined)
        scenario.then_state(
            {
                "payment": [
                    {
                        "order_id": placed.order_id,
                        "currency": "EUR",
                        "amount": placed.total,
                        "status": status,
                        "decline_reason": reason,
                    }
                    for placed, status, reason in (
                        (small, "completed", None),
                        (large, "failed", "limit_exceeded"),
                        (declined, "failed", "card_declined"),
                    )
                ]
            },
            ignoring=NEW_EACH_TIME,
        )
        scenario.then_sent(PaymentCompleted, PaymentFailed, PaymentFailed)
        assert scenario.applied == 3
        [payment, *_] = scenario.sent
        assert isinstance(payment, PaymentCompleted)
        assert scenario.outbox[0].key == str(payment.payment_id)

    play(stack, "payments", payments_worker, scene)


def test_payments_charges_once_whatever_happens(stack: RunningStack) -> None:
    async def scene(scenario: OnPostgres) -> None:
        orders = [order(5), order(500), order(5, "declined-bob"), order(7)]
        done = await scenario.torment(*orders, confirmed(orders[0]), ignoring=NEW_EACH_TIME)
        assert min(done.happened.values()) > 0
        assert len(scenario.state["payment"]) == len(scenario.sent) == 4

    play(stack, "payments", payments_worker, scene)


def test_analytics_counts_by_minute(stack: RunningStack) -> None:
    async def scene(scenario: OnPostgres) -> None:
        first, second, third = order(5), order(7), order(11, at=MINUTE + timedelta(minutes=1))
        await scenario.when(first, second, third, confirmed(first), cancelled(second))
        minute = {"currency": "EUR", "placed": 2, "confirmed": 0, "cancelled": 0, "revenue": 0}
        scenario.then_state(
            {
                "orders_per_minute": [
                    minute | {"minute": MINUTE},
                    {
                        "minute": MINUTE + timedelta(minutes=1),
                        "currency": "EUR",
                        "placed": 1,
                        "confirmed": 1,
                        "cancelled": 1,
                        "revenue": 5,
                    },
                ]
            }
        )

    play(stack, "analytics", analytics_worker, scene)


def test_analytics_counts_once_whatever_happens(stack: RunningStack) -> None:
    async def scene(scenario: OnPostgres) -> None:
        orders = [order(number + 1) for number in range(6)]
        decided: list[Message] = [*map(confirmed, orders[:4]), *map(cancelled, orders[4:])]
        done = await scenario.torment(*orders, *decided)
        assert min(done.happened.values()) > 0
        counted = scenario.state["orders_per_minute"]
        assert sum(row["placed"] for row in counted) == 6
        assert sum(row["revenue"] for row in counted) == 1 + 2 + 3 + 4

    play(stack, "analytics", analytics_worker, scene)


def play_with_orders(
    stack: RunningStack,
    placed: Sequence[OrderCreated],
    scene: Callable[[OnPostgres], Awaitable[None]],
) -> None:
    """Play a scene of the orders worker in which these orders have been placed."""

    async def prepare(connection: Connection) -> None:
        for created in placed:
            await Outbox(codec_of_all()).append(
                connection,
                [created],
                aggregate_id=str(created.order_id),
                after_version=0,
                context=MessageContext(correlation_id=new_id()),
            )
            await repository.add(connection, Order.begin(created))

    play(
        stack,
        "orders",
        orders_worker,
        scene,
        tables="producers.orders.migrations",
        prepare=prepare,
    )


def test_orders_are_confirmed_or_cancelled_once_whatever_happens(stack: RunningStack) -> None:
    orders = [order() for _ in range(4)]

    async def scene(scenario: OnPostgres) -> None:
        decisions: list[Message] = [paid(orders[0]), refused(orders[1]), paid(orders[2])]
        done = await scenario.torment(
            *decisions, ignoring=("updated_at", "confirmed_at", "cancelled_at")
        )
        assert min(done.happened.values()) > 0
        statuses = {row["order_id"]: row["status"] for row in scenario.state["customer_order"]}
        assert [statuses[each.order_id] for each in orders] == [
            "confirmed",
            "cancelled",
            "confirmed",
            "pending",
        ]

    play_with_orders(stack, orders, scene)


def test_a_payment_for_an_order_that_does_not_exist_is_parked(stack: RunningStack) -> None:
    known, unknown = order(), order()

    async def scene(scenario: OnPostgres) -> None:
        await scenario.when(deliver(paid(unknown), key="p1"), paid(known))
        scenario.then_sent(OrderConfirmed)
        scenario.then_parked(("p1", "failed"))
        assert "there is no order" in scenario.parked[0].error

    play_with_orders(stack, [known], scene)


def test_handlers_have_the_rights_of_their_service_and_no_more(stack: RunningStack) -> None:
    @handles(OrderCreated)
    async def meddle(placed: OrderCreated, work: Work) -> None:
        await work.connection.execute("delete from payment")

    async def scene(scenario: OnPostgres) -> None:
        await scenario.when(deliver(order(), key="k"))
        scenario.then_parked(("k", "failed"))
        assert InsufficientPrivilege.__name__ in scenario.parked[0].error

    play(
        stack,
        "payments",
        lambda _: Consumer(name="meddling", handlers=[meddle]),
        scene,
    )


def test_the_schema_is_gone_at_the_end(stack: RunningStack) -> None:
    async def run() -> None:
        url = stack.database_url("tailrace_owner")
        database = PostgresDatabase(
            owner_url=url,
            url=stack.database_url("analytics"),
            packages=["consumers.analytics.migrations"],
        )
        with pytest.raises(RuntimeError, match="enter it with"):
            _ = database.pool
        with pytest.raises(ZeroDivisionError):
            await _fail_within(database)
        async with await psycopg.AsyncConnection.connect(url) as connection:
            with pytest.raises(UndefinedTable):
                await connection.execute(f"select * from {database.schema}.inbox".encode())

    asyncio.run(run())


async def _fail_within(database: PostgresDatabase) -> None:
    async with database:
        raise ZeroDivisionError
