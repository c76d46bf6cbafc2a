"""What shipping does about each message, on tables of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from schemas.messages.shipping import (
    CancelShipment,
    CreateShipment,
    Item,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentRejected,
)
from tailrace import Scenario
from tests.fulfilment import (
    cancelled,
    command,
    line,
    placed,
    playing,
    replies,
    reserved,
    statuses,
)
from tests.stack import RunningStack

NEW_EACH_TIME = ("shipment_id", "updated_at", "created_at", "rejected_at", "cancelled_at")


def play(stack: RunningStack, scene: Callable[[Scenario[Any]], Awaitable[None]]) -> None:
    async def run() -> None:
        async with playing(stack, "shipping") as scenario:
            await scene(scenario)

    asyncio.run(run())


def test_what_is_set_aside_is_sent_unless_the_rule_forbids_it(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        book, piano = placed(), placed(line("unshippable-piano"))
        await scenario.when(reserved(book), reserved(piano))
        scenario.then_sent(ShipmentCreated, ShipmentRejected)
        rejected = scenario.sent[1]
        assert isinstance(rejected, ShipmentRejected)
        assert rejected.reason == "unshippable"
        await scenario.when(cancelled(book), cancelled(piano))
        scenario.then_sent(ShipmentCreated, ShipmentRejected, ShipmentCancelled)
        assert statuses(scenario, "shipment") == {
            book.order_id: "cancelled",
            piano.order_id: "rejected",
        }

    play(stack, scene)


def test_what_is_cancelled_first_is_never_sent(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        order = placed()
        await scenario.when(cancelled(order))
        await scenario.when(reserved(order))
        scenario.then_sent()
        assert statuses(scenario, "shipment") == {order.order_id: "withdrawn"}

    play(stack, scene)


def test_commands_are_carried_out_once_and_answered_each_time(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        sent, early = placed(), placed()
        items = (Item(sku="book", quantity=1),)
        for _ in range(2):
            create = CreateShipment(order_id=sent.order_id, items=items)
            await scenario.when(command(create, sent.order_id))
        for order in (sent, sent, early):
            cancel = CancelShipment(order_id=order.order_id)
            await scenario.when(command(cancel, order.order_id))
        create = CreateShipment(order_id=early.order_id, items=items)
        await scenario.when(command(create, early.order_id))
        assert replies(scenario) == [
            *("ShipmentCreated", "ShipmentCreated"),
            *("ShipmentCancelled", "ShipmentCancelled", "ShipmentCancelled"),
            "ShipmentRejected",
        ]
        assert statuses(scenario, "shipment") == {
            sent.order_id: "cancelled",
            early.order_id: "withdrawn",
        }

    play(stack, scene)


def test_commands_that_come_together_are_answered_each_for_itself(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        known, new, refused = placed(), placed(), placed()
        creates = {
            order.order_id: CreateShipment(
                order_id=order.order_id, items=(Item(sku=sku, quantity=1),)
            )
            for order, sku in ((known, "book"), (new, "pen"), (refused, "unshippable-piano"))
        }
        await scenario.when(command(creates[known.order_id], known.order_id))
        again = [command(create, order_id) for order_id, create in creates.items()]
        await scenario.when(*again, command(creates[new.order_id], new.order_id))
        told = [(each.key, type(each.message).__name__) for each in scenario.outbox]
        assert told == [
            (str(known.order_id), "ShipmentCreated"),
            (str(known.order_id), "ShipmentCreated"),
            (str(new.order_id), "ShipmentCreated"),
            (str(refused.order_id), "ShipmentRejected"),
            (str(new.order_id), "ShipmentCreated"),
        ]
        assert len(scenario.state["shipment"]) == 3

    play(stack, scene)


def test_a_shipment_is_made_once_whatever_happens(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        orders = [placed() for _ in range(4)]
        done = await scenario.torment(*map(reserved, orders), ignoring=NEW_EACH_TIME)
        assert min(done.happened.values()) > 0
        scenario.then_sent(*[ShipmentCreated] * 4)

    play(stack, scene)
