"""What inventory does about each message, on tables of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cdc.database import begin
from consumers.inventory import repository
from consumers.inventory.storekeeper import Storekeeper
from consumers.testing.postgres import PostgresDatabase
from consumers.testing.records import deliver
from schemas.message import Message
from schemas.messages.inventory import (
    Item,
    ItemsReleased,
    ItemsReserved,
    OutOfStock,
    ReleaseItems,
    ReserveItems,
    TopUpStock,
)
from schemas.messages.orders import OrderCreated
from tailrace import Scenario
from tests.fulfilment import (
    MOMENT,
    REPLIES,
    cancelled,
    command,
    confirmed,
    line,
    orchestrated,
    paid,
    placed,
    playing,
    replies,
    statuses,
)
from tests.held_up import held_up
from tests.stack import RunningStack

NEW_EACH_TIME = ("reservation_id", "updated_at", "reserved_at", "refused_at", "released_at")

Play = Callable[[Scenario[Any]], Awaitable[None]]


def play(stack: RunningStack, scene: Play, *, default_stock: int = 0) -> None:
    async def run() -> None:
        async with playing(stack, "inventory", default_stock=default_stock) as scenario:
            await scene(scenario)

    asyncio.run(run())


def stock_of(scenario: Scenario[Any], sku: str = "book") -> tuple[int, int, int]:
    """Return what is on hand, reserved and shipped."""
    [row] = [each for each in scenario.state["stock"] if each["sku"] == sku]
    return row["on_hand"], row["reserved"], row["shipped"]


def topped_up(units: int, sku: str = "book") -> Any:
    return deliver(TopUpStock(sku=sku, units=units), key=sku)


def reserve(order: OrderCreated) -> ReserveItems:
    items = tuple(Item(sku=each.sku, quantity=each.quantity) for each in order.lines)
    return ReserveItems(order_id=order.order_id, items=items)


def test_what_is_paid_is_set_aside_whichever_is_heard_first(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        first, second = placed(line("book", 2), line("pen"), line("book")), placed()
        await scenario.given(topped_up(5), topped_up(1, "pen"))
        await scenario.when(first, paid(second))
        scenario.then_sent()
        await scenario.when(paid(first))
        await scenario.when(second)
        scenario.then_sent(ItemsReserved, ItemsReserved)
        told = scenario.sent[0]
        assert isinstance(told, ItemsReserved)
        assert {item.sku: item.quantity for item in told.items} == {"book": 3, "pen": 1}
        assert stock_of(scenario) == (1, 4, 0)
        await scenario.when(confirmed(first), cancelled(second))
        assert stock_of(scenario) == (2, 0, 3)
        scenario.then_sent(ItemsReserved, ItemsReserved, ItemsReleased)
        assert [each.version for each in scenario.outbox] == [1, 1, 2]

    play(stack, scene)


def test_all_of_an_order_is_set_aside_or_nothing(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        order = placed(line("book", 2), line("pen"))
        await scenario.when(topped_up(5), order, paid(order))
        scenario.then_sent(OutOfStock)
        [refusal] = scenario.sent
        assert isinstance(refusal, OutOfStock)
        assert refusal.skus == ("pen",)
        assert (stock_of(scenario), stock_of(scenario, "pen")) == ((5, 0, 0), (0, 0, 0))
        await scenario.when(cancelled(order))
        scenario.then_sent(OutOfStock)
        assert statuses(scenario, "reservation") == {order.order_id: "refused"}

    play(stack, scene)


def test_an_article_that_was_never_stocked_has_the_default(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        order = placed(line("book", 3))
        await scenario.when(order, paid(order))
        scenario.then_sent(ItemsReserved)
        assert stock_of(scenario) == (4, 3, 0)

    play(stack, scene, default_stock=7)


def test_what_is_digital_or_orchestrated_is_left_alone(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        song, other = placed(line("song", digital=True)), orchestrated()
        await scenario.when(song, paid(song), other)
        await scenario.when(confirmed(song))
        scenario.then_sent()
        assert scenario.state["stock"] == []

    play(stack, scene, default_stock=7)


def test_what_is_undone_first_is_never_done(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        event, asked = placed(), orchestrated()
        await scenario.when(topped_up(5), cancelled(event))
        await scenario.when(event, paid(event))
        release = ReleaseItems(order_id=asked.order_id)
        await scenario.when(command(release, asked.order_id))
        await scenario.when(command(reserve(asked), asked.order_id))
        assert replies(scenario) == ["ItemsReleased", "OutOfStock"]
        assert stock_of(scenario) == (5, 0, 0)
        assert set(statuses(scenario, "reservation").values()) == {"withdrawn"}

    play(stack, scene)


def test_what_is_sent_waits_for_what_is_set_aside_and_cannot_be_seen_yet(
    stack: RunningStack,
) -> None:
    """What a transaction has sent may have led to more before others see what it has written."""

    async def scene(scenario: Scenario[Any]) -> None:
        order, database = placed(), scenario.database
        assert isinstance(database, PostgresDatabase)
        await scenario.given(topped_up(5), order)
        async with database.pool.connection() as reserving, database.connection() as look:
            await begin(reserving)
            [due] = await repository.note_paid(reserving, [order.order_id], MOMENT)
            await Storekeeper(0).reserve(reserving, [due], MOMENT, events=1)
            sending = asyncio.create_task(scenario.when(confirmed(order)))
            assert await held_up(sending, by=reserving, look=look)
            await reserving.commit()
            await sending
        assert stock_of(scenario) == (4, 0, 1)

    play(stack, scene)


def test_commands_are_carried_out_once_and_answered_each_time(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        order = orchestrated(line("book", 2))
        wanted, undo = reserve(order), ReleaseItems(order_id=order.order_id)
        await scenario.when(topped_up(5))
        for _ in range(2):
            await scenario.when(command(wanted, order.order_id))
        assert replies(scenario) == ["ItemsReserved", "ItemsReserved"]
        assert stock_of(scenario) == (3, 2, 0)
        for _ in range(2):
            await scenario.when(command(undo, order.order_id))
        await scenario.when(command(wanted, order.order_id))
        assert replies(scenario)[2:] == ["ItemsReleased", "ItemsReleased", "OutOfStock"]
        assert stock_of(scenario) == (5, 0, 0)
        await scenario.when(topped_up(1))
        assert stock_of(scenario) == (6, 0, 0)
        await scenario.when(deliver(TopUpStock(sku="pen", units=0), key="pen"))
        scenario.then_parked(("pen", "failed"))

    play(stack, scene)


def test_commands_that_come_together_are_served_in_their_order(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        first, second, third = (orchestrated(line("book", 2)) for _ in range(3))
        nothing = ReserveItems(order_id=third.order_id, items=())
        await scenario.when(topped_up(3))
        wanted = [command(reserve(order), order.order_id) for order in (second, first, second)]
        await scenario.when(*wanted, command(nothing, third.order_id))
        told = [
            (each.key, type(each.message).__name__)
            for each in scenario.outbox
            if each.topic == REPLIES
        ]
        assert told == [
            (str(second.order_id), "ItemsReserved"),
            (str(first.order_id), "OutOfStock"),
            (str(second.order_id), "ItemsReserved"),
        ]
        assert stock_of(scenario) == (1, 2, 0)
        scenario.then_parked((str(third.order_id), "failed"))

    play(stack, scene)


def test_the_stock_adds_up_whatever_happens(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        orders = [placed(line("book", number), line("pen")) for number in range(1, 7)]
        await scenario.given(topped_up(100), topped_up(100, "pen"))
        ended: list[Message] = [*map(confirmed, orders[:2]), *map(cancelled, orders[4:])]
        done = await scenario.torment(
            *orders,
            *map(paid, orders),
            ignoring=NEW_EACH_TIME,
        )
        assert min(done.happened.values()) > 0
        await scenario.when(*ended)
        assert stock_of(scenario) == (100 - 1 - 2 - 3 - 4, 3 + 4, 1 + 2)
        assert stock_of(scenario, "pen") == (96, 2, 2)

    play(stack, scene)
