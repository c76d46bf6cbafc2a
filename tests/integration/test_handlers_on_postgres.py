"""The handlers of the project's own consumers on Postgres schemas of their own, and under every fault there is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, UndefinedTable

from cdc.context import MessageContext
from cdc.database import Connection
from cdc.ids import new_id
from cdc.outbox import Outbox
from consumers.analytics import bootstrap as analytics
from consumers.loyalty import bootstrap as loyalty
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
from schemas.messages import as_read_by_analytics_worker
from schemas.messages.inventory import OutOfStock
from schemas.messages.orders import (
    CancelOrder,
    ConfirmOrder,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderLine,
)
from schemas.messages.payments import DeclineReason, PaymentCompleted, PaymentFailed
from schemas.messages.shipping import ShipmentCreated, ShipmentRejected
from schemas.messages.users import UserSignedUp
from tests.stack import RunningStack

TIMEOUT_S = 120.0
MINUTE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
NEW_EACH_TIME = ("payment_id", "settled_at", "completed_at", "failed_at")

OnPostgres = Scenario[Any]


def order(total: int = 5, customer_id: str = "ada", at: datetime = MINUTE) -> OrderCreated:
    line = OrderLine(sku="song-1", quantity=1, unit_price=Decimal(total), digital=True)
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
        customer_id=placed.customer_id,
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


def loyalty_worker(stack: RunningStack) -> Consumer:
    declared = loyalty.create_consumer(loyalty.Settings(**surroundings(stack)), RealOutside())
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
                        "version": 1,
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


def test_analytics_counts_sign_ups_by_the_day_in_utc_and_reads_no_address(
    stack: RunningStack,
) -> None:
    midnight = datetime(2026, 1, 2, tzinfo=UTC)
    evening, morning = (
        midnight - timedelta(seconds=1),
        midnight.astimezone(timezone(timedelta(hours=13))),
    )

    def signed_up(at: datetime) -> UserSignedUp:
        return UserSignedUp(user_id=new_id(), email="ada@example.com", signed_up_at=at)

    async def scene(scenario: OnPostgres) -> None:
        users = [signed_up(at) for at in (evening, evening, morning)]
        await scenario.torment(*users)
        scenario.then_state(
            {
                "sign_ups_per_day": [
                    {"day": midnight - timedelta(days=1), "signed_up": 2},
                    {"day": midnight, "signed_up": 1},
                ]
            }
        )
        assert not hasattr(as_read_by_analytics_worker.UserSignedUp, "email")

    play(stack, "analytics", analytics_worker, scene)


def test_loyalty_counts_the_orders_of_users_once_whatever_comes_first(stack: RunningStack) -> None:
    user_id, stranger_id = new_id(), new_id()
    names = ("ada", str(user_id).upper(), str(stranger_id), *[str(user_id)] * 3)
    placed = [
        order(customer_id=name, at=MINUTE + timedelta(days=n)) for n, name in enumerate(names)
    ]
    signed_up = UserSignedUp(user_id=user_id, email="ada@example.com", signed_up_at=MINUTE)

    async def scene(scenario: OnPostgres) -> None:
        await scenario.torment(confirmed(placed[5]), signed_up, *map(confirmed, placed[:5]))
        known: dict[str, Any] = {"user_id": user_id, "signed_up_at": MINUTE, "points": 3}
        unknown: dict[str, Any] = {"user_id": stranger_id, "signed_up_at": None, "points": 1}
        latest = [MINUTE + timedelta(days=n, minutes=1) for n in (5, 2)]
        scenario.then_state(
            {
                "account": [
                    row | {"updated_at": at}
                    for row, at in zip((known, unknown), latest, strict=True)
                ]
            }
        )

    play(stack, "loyalty", loyalty_worker, scene, tables="producers.loyalty.migrations")


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


def physical() -> OrderCreated:
    return replace(order(), lines=(OrderLine(sku="book-1", quantity=1, unit_price=Decimal(5)),))


def sent(placed: OrderCreated) -> ShipmentCreated:
    return ShipmentCreated(shipment_id=new_id(), order_id=placed.order_id, created_at=MINUTE)


def statuses(scenario: OnPostgres) -> dict[UUID, tuple[str, str | None]]:
    return {
        row["order_id"]: (row["status"], row["cancel_reason"])
        for row in scenario.state["customer_order"]
    }


def test_an_order_is_confirmed_when_it_is_paid_and_sent_in_whatever_sequence(
    stack: RunningStack,
) -> None:
    orders = [physical() for _ in range(4)]

    async def scene(scenario: OnPostgres) -> None:
        done = await scenario.torment(
            *(paid(orders[0]), sent(orders[0]), sent(orders[1]), paid(orders[1])),
            *(paid(orders[2]), sent(orders[3])),
            ignoring=("updated_at", "confirmed_at"),
        )
        assert min(done.happened.values()) > 0
        assert [statuses(scenario)[each.order_id][0] for each in orders] == [
            *("confirmed", "confirmed"),
            *("pending", "pending"),
        ]

    play_with_orders(stack, orders, scene)


def test_what_comes_after_an_order_was_cancelled_changes_nothing(stack: RunningStack) -> None:
    unsold, unsent = physical(), physical()

    async def scene(scenario: OnPostgres) -> None:
        refusal = OutOfStock(
            reservation_id=new_id(), order_id=unsold.order_id, skus=("book-1",), refused_at=MINUTE
        )
        rejection = ShipmentRejected(
            shipment_id=new_id(),
            order_id=unsent.order_id,
            reason="unshippable",
            rejected_at=MINUTE,
        )
        await scenario.when(refusal, rejection)
        await scenario.when(paid(unsold), sent(unsold), rejection, refused(unsold), paid(unsent))
        scenario.then_sent(OrderCancelled, OrderCancelled)
        scenario.then_parked()
        assert statuses(scenario) == {
            unsold.order_id: ("cancelled", "out_of_stock"),
            unsent.order_id: ("cancelled", "unshippable"),
        }

    play_with_orders(stack, [unsold, unsent], scene)


def test_commands_decide_an_order_once_and_are_answered_by_how_it_stands(
    stack: RunningStack,
) -> None:
    kept, dropped = physical(), physical()

    async def scene(scenario: OnPostgres) -> None:
        for placed, first in ((kept, "confirm"), (dropped, "cancel")):
            confirm = ConfirmOrder(order_id=placed.order_id, payment_id=new_id())
            cancel = CancelOrder(order_id=placed.order_id, reason="too_late")
            wishes: list[Message] = [confirm, cancel] if first == "confirm" else [cancel, confirm]
            for wish in (*wishes, wishes[0]):
                await scenario.when(deliver(wish, reply_to="fulfilment.replies"))
        answers = [each for each in scenario.outbox if each.topic == "fulfilment.replies"]
        assert [type(each.message) for each in answers] == [
            *[OrderConfirmed] * 3,
            *[OrderCancelled] * 3,
        ]
        assert len(scenario.outbox) - len(answers) == 2
        assert statuses(scenario)[dropped.order_id] == ("cancelled", "too_late")

    play_with_orders(stack, [kept, dropped], scene)


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


TRIGGER = """
create function note() returns trigger language plpgsql as
    $$begin insert into log values (new.word); return new; end$$;
create trigger noted after insert on thing for each row execute function note();
"""
REFERENCE = "alter table thing add parent bigint references thing"
"""With it, rows have an order in which they can be written; the tables are made anew."""


@pytest.mark.parametrize("besides", [TRIGGER, REFERENCE], ids=["a trigger", "a reference"])
def test_a_reset_brings_back_what_there_was(stack: RunningStack, besides: LiteralString) -> None:
    async def prepare(connection: Connection) -> None:
        await connection.execute(
            "create table thing (number bigint generated always as identity primary key,"
            " word text, length int generated always as (length(word)) stored)"
        )
        await connection.execute("create table log (word text)")
        await connection.execute("insert into thing (word) values ('one'), ('\ttwo\n'), (null)")
        await connection.execute(besides)

    async def run() -> None:
        database = PostgresDatabase(
            owner_url=stack.database_url("tailrace_owner"),
            url=stack.database_url("analytics"),
            packages=[],
            prepare=prepare,
        )
        async with database:
            before = await database.state()
            async with database.connection() as connection:
                await connection.execute("delete from thing where number = 1")
                await connection.execute("update thing set word = 'other'")
                await connection.execute("insert into thing (word) values ('more')")
                await connection.execute("insert into log values ('more')")
            assert await database.state() != before
            await database.reset()
            assert await database.state() == before
            async with database.connection() as connection:
                added = await connection.execute(
                    "insert into thing (word) values ('four') returning number, length"
                )
                assert await added.fetchone() == (4, 4)
                log = await connection.execute("select count(*) from log")
                assert await log.fetchone() == (1 if besides is TRIGGER else 0,)

    asyncio.run(run())
