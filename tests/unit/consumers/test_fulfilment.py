"""An order on its way: each step in turn, and what is undone when one is refused, comes too late or is not wanted."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from consumers.fulfilment.saga import Order, order_fulfilment
from consumers.testing.sagas import SagaScenario
from schemas.message import Message
from schemas.messages import inventory, orders, payments, shipping
from schemas.messages.orders import Fulfilment, OrderCancelled, OrderCreated, OrderLine
from tailrace import sample_of, torment_saga
from tests.tracing import recorded

WITHIN_S = 30.0
MOST_TORMENTS = 10
"""In one of seventy no order comes to its good end."""
BOOK = OrderLine(sku="book-1", quantity=2, unit_price=Decimal(5))
FILE = OrderLine(sku="file-1", quantity=1, unit_price=Decimal(3), digital=True)
CREATED = sample_of(
    OrderCreated, lines=(BOOK, FILE, replace(BOOK, quantity=1)), fulfilment=Fulfilment.ORCHESTRATION
)
ID = CREATED.order_id
AUTHORISED = sample_of(payments.PaymentAuthorised, order_id=ID)
VOIDED = sample_of(payments.PaymentVoided, order_id=ID)
CAPTURED = sample_of(payments.PaymentCaptured, order_id=ID)
RESERVED = sample_of(inventory.ItemsReserved, order_id=ID)
RELEASED = sample_of(inventory.ItemsReleased, order_id=ID)
SHIPPED = sample_of(shipping.ShipmentCreated, order_id=ID)
UNSHIPPED = sample_of(shipping.ShipmentCancelled, order_id=ID)
CONFIRMED = sample_of(orders.OrderConfirmed, order_id=ID)
CANCELLED = sample_of(OrderCancelled, order_id=ID, reason="customer")
FORWARD = (AUTHORISED, RESERVED, SHIPPED)
UNDOING: tuple[tuple[type[Message], Message], ...] = (
    (payments.VoidPayment, VOIDED),
    (inventory.ReleaseItems, RELEASED),
    (shipping.CancelShipment, UNSHIPPED),
)
"""How each step is undone, in their order: what is asked, and what is answered."""


def play(part: Callable[[SagaScenario[Order]], Awaitable[None]]) -> None:
    async def run() -> None:
        await part(SagaScenario(order_fulfilment(WITHIN_S)))

    asyncio.run(run())


async def undone(saga: SagaScenario[Order], steps: int, *, reason: str) -> None:
    """See that so many steps are undone, the last one first, and that the order is told why."""
    for command, reply in reversed(UNDOING[:steps]):
        saga.then("compensating", command)
        await saga.answer(reply)
    saga.then("compensating", orders.CancelOrder(order_id=ID, reason=reason))
    await saga.answer(replace(CANCELLED, reason=reason))
    saga.then("compensated")


async def forward(saga: SagaScenario[Order], steps: int) -> None:
    """Have so many steps done."""
    await saga.when(CREATED)
    for reply in FORWARD[:steps]:
        await saga.answer(reply)
    saga.then(saga.instance.status, *[each.message for each in saga.commands])


def test_what_has_to_be_sent_is_paid_set_aside_and_sent_before_it_is_confirmed() -> None:
    async def part(saga: SagaScenario[Order]) -> None:
        items = (inventory.Item(sku="book-1", quantity=3),)
        await saga.when(CREATED)
        saga.then("running", payments.AuthorisePayment)
        await saga.answer(AUTHORISED)
        saga.then("running", inventory.ReserveItems(order_id=ID, items=items))
        await saga.answer(RESERVED)
        saga.then("running", shipping.CreateShipment)
        await saga.answer(SHIPPED)
        saga.then("running", orders.ConfirmOrder(order_id=ID, payment_id=AUTHORISED.payment_id))
        await saga.answer(CONFIRMED)
        saga.then("running", payments.CapturePayment)
        await saga.answer(CAPTURED)
        saga.then("completed")

    play(part)


def test_digital_lines_end_with_their_payment() -> None:
    async def part(saga: SagaScenario[Order]) -> None:
        await saga.when(replace(CREATED, lines=(FILE,)))
        await saga.answer(AUTHORISED)
        await saga.answer(CONFIRMED)
        await saga.answer(CAPTURED)
        saga.then(
            "completed", payments.AuthorisePayment, orders.ConfirmOrder, payments.CapturePayment
        )

    play(part)


def test_an_order_of_the_other_form_is_none_of_its_business() -> None:
    async def part(saga: SagaScenario[Order]) -> None:
        await saga.when(replace(CREATED, fulfilment=Fulfilment.CHOREOGRAPHY))
        with pytest.raises(AssertionError, match="nothing has started"):
            saga.then("running")

    play(part)


@pytest.mark.parametrize(
    ("steps", "refusal", "reason"),
    [
        (
            0,
            sample_of(payments.PaymentDeclined, order_id=ID, reason="card_declined"),
            "card_declined",
        ),
        (1, sample_of(inventory.OutOfStock, order_id=ID), "out_of_stock"),
        (2, sample_of(shipping.ShipmentRejected, order_id=ID, reason="too_far"), "too_far"),
        (3, CANCELLED, "customer"),
    ],
)
def test_what_is_refused_undoes_what_was_done_before(
    steps: int, refusal: Message, reason: str
) -> None:
    async def part(saga: SagaScenario[Order]) -> None:
        await forward(saga, steps)
        await saga.answer(refusal)
        await undone(saga, steps, reason=reason)

    play(part)


@pytest.mark.parametrize("steps", range(3))
def test_a_cancellation_undoes_also_the_step_that_it_crosses(steps: int) -> None:
    async def part(saga: SagaScenario[Order]) -> None:
        await forward(saga, steps)
        await saga.when(CANCELLED)
        await undone(saga, steps + 1, reason="customer")
        await saga.answer(FORWARD[steps])
        saga.then("compensated")

    play(part)


@pytest.mark.parametrize("steps", range(3))
def test_no_answer_in_time_undoes_what_may_have_been_done(steps: int) -> None:
    async def part(saga: SagaScenario[Order]) -> None:
        await forward(saga, steps)
        await saga.after(seconds=WITHIN_S + 1)
        await undone(saga, steps + 1, reason="not_fulfilled")

    play(part)


def test_once_the_order_decides_it_is_asked_until_it_answers() -> None:
    async def part(saga: SagaScenario[Order]) -> None:
        await forward(saga, 3)
        await saga.after(seconds=WITHIN_S + 1)
        assert saga.instance.status == "waiting"
        await saga.when(CANCELLED)
        await saga.after(seconds=WITHIN_S)
        saga.then("running", orders.ConfirmOrder)
        await saga.answer(CONFIRMED)
        saga.then("running", payments.CapturePayment)

    play(part)


def test_a_capture_that_is_refused_waits_for_a_human() -> None:
    async def part(saga: SagaScenario[Order]) -> None:
        await forward(saga, 3)
        await saga.answer(CONFIRMED)
        await saga.answer(sample_of(payments.PaymentDeclined, order_id=ID))
        saga.then("paused", payments.CapturePayment)
        await saga.act("resume")
        saga.then("running", payments.CapturePayment)
        await saga.answer(CAPTURED)
        saga.then("completed")

    play(part)


def test_it_stands_whatever_happens_to_it() -> None:
    happened = Counter[str]()
    for _ in range(MOST_TORMENTS):
        happened += asyncio.run(
            torment_saga(order_fulfilment(WITHIN_S), CREATED, CANCELLED, make=about, rounds=20)
        )
        if happened["completed"] and happened["compensated"]:
            break
    assert min(happened[end] for end in ("completed", "compensated")) > 0, happened


def about(message: type[Message]) -> Message:
    return sample_of(message, order_id=ID)


def test_a_deadline_begins_a_trace_which_is_found_by_the_correlation() -> None:
    async def part(saga: SagaScenario[Order]) -> None:
        await saga.when(CREATED)
        await saga.after(seconds=WITHIN_S + 1)

    with recorded() as spans:
        play(part)
    passed = spans.one("deadline")
    assert (passed.parent, passed.attributes["tailrace.saga_id"]) == (None, str(ID))
    [process, *_] = spans.named("process")
    conversation = "messaging.message.conversation_id"
    assert passed.attributes[conversation] == process.attributes[conversation]
