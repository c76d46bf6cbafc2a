"""The order aggregate: decisions, events and the state they lead to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.orders.domain import (
    CancelOrder,
    ConfirmOrder,
    Event,
    InvalidOrderError,
    Order,
    OrderStateError,
    PlaceOrder,
    Progress,
    Status,
)
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderLine

ORDER_ID = UUID("0198c0de-0000-7000-8000-000000000001")
PAYMENT_ID = UUID("0198c0de-0000-7000-8000-000000000002")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)
BOOK = OrderLine(sku="book", quantity=3, unit_price=Decimal("9.99"))
COMMAND = PlaceOrder(customer_id="ada", currency="EUR", lines=(BOOK,))
CONFIRM = ConfirmOrder(order_id=ORDER_ID, payment_id=PAYMENT_ID)
CANCEL = CancelOrder(order_id=ORDER_ID, reason="card_declined")


def pending() -> Order:
    return Order.begin(Order.place(COMMAND, order_id=ORDER_ID, at=NOON))


def after(order: Order, events: tuple[Event, ...]) -> Order:
    for event in events:
        order = order.apply(event)
    return order


def test_placing_prices_the_order() -> None:
    created = Order.place(COMMAND, order_id=ORDER_ID, at=NOON)
    assert (created.total, created.placed_at) == (Decimal("29.97"), NOON)
    order = Order.begin(created)
    assert (order.status, order.version, order.updated_at) == (Status.PENDING, 1, NOON)


def test_confirming_records_the_payment() -> None:
    events = pending().confirm(CONFIRM, at=LATER)
    assert [type(event) for event in events] == [OrderConfirmed]
    order = after(pending(), events)
    assert (order.status, order.payment_id, order.version) == (Status.CONFIRMED, PAYMENT_ID, 2)
    assert order.updated_at == LATER


def test_cancelling_records_the_reason() -> None:
    events = pending().cancel(CANCEL, at=LATER)
    assert [type(event) for event in events] == [OrderCancelled]
    order = after(pending(), events)
    assert (order.status, order.cancel_reason, order.version) == (
        Status.CANCELLED,
        "card_declined",
        2,
    )


def test_an_order_goes_on_once_all_of_its_progress_is_known() -> None:
    paid, sent = Progress(payment_id=PAYMENT_ID), Progress(shipment_id=PAYMENT_ID)
    both = Progress(payment_id=PAYMENT_ID, shipment_id=PAYMENT_ID)
    for early in (Progress(), paid, sent):
        assert pending().advance(early, at=LATER) == ()
    [confirmed] = pending().advance(both, at=LATER)
    assert isinstance(confirmed, OrderConfirmed)
    assert confirmed.payment_id == PAYMENT_ID
    digital = replace(pending(), lines=(replace(BOOK, digital=True),))
    assert digital.advance(sent, at=LATER) == ()
    assert digital.advance(paid, at=LATER) == (confirmed,)
    mixed = replace(pending(), lines=(replace(BOOK, digital=True), BOOK))
    assert mixed.advance(paid, at=LATER) == ()


def test_progress_after_the_decision_is_no_event() -> None:
    both = Progress(payment_id=PAYMENT_ID, shipment_id=PAYMENT_ID)
    for decided in (pending().cancel(CANCEL, at=LATER), pending().confirm(CONFIRM, at=LATER)):
        assert after(pending(), decided).advance(both, at=LATER) == ()


def test_a_decision_can_be_told_again() -> None:
    for events in (pending().cancel(CANCEL, at=LATER), pending().confirm(CONFIRM, at=LATER)):
        assert (after(pending(), events).decision(),) == events
    with pytest.raises(OrderStateError, match="not decided yet"):
        pending().decision()


def test_doing_it_twice_is_no_event() -> None:
    confirmed = after(pending(), pending().confirm(CONFIRM, at=LATER))
    cancelled = after(pending(), pending().cancel(CANCEL, at=LATER))
    assert confirmed.confirm(CONFIRM, at=LATER) == ()
    assert cancelled.cancel(CancelOrder(order_id=ORDER_ID, reason="other"), at=LATER) == ()


def test_an_end_is_an_end() -> None:
    confirmed = after(pending(), pending().confirm(CONFIRM, at=LATER))
    cancelled = after(pending(), pending().cancel(CANCEL, at=LATER))
    with pytest.raises(OrderStateError, match="confirmed and can no longer be cancelled"):
        confirmed.cancel(CANCEL, at=LATER)
    with pytest.raises(OrderStateError, match="cancelled and can no longer be confirmed"):
        cancelled.confirm(CONFIRM, at=LATER)


def test_history_runs_forward_when_a_clock_does_not() -> None:
    order = after(pending(), pending().confirm(CONFIRM, at=NOON - timedelta(hours=1)))
    assert order.updated_at == order.placed_at == NOON


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (replace(COMMAND, currency="DEM"), "not an active ISO 4217"),
        (replace(COMMAND, lines=()), "1 to 500 lines, not 0"),
        (replace(COMMAND, lines=(BOOK,) * 501), "not 501"),
        (replace(COMMAND, lines=(replace(BOOK, quantity=0),)), "0 is not a quantity"),
        (replace(COMMAND, lines=(replace(BOOK, quantity=1_000_001),)), "not a quantity"),
        (
            replace(COMMAND, lines=(replace(BOOK, unit_price=Decimal("0.001")),)),
            "2 decimals in EUR",
        ),
        (replace(COMMAND, lines=(replace(BOOK, unit_price=Decimal(-1)),)), "not be negative"),
        (replace(COMMAND, lines=(replace(BOOK, unit_price=Decimal("NaN")),)), "finite"),
        (
            replace(
                COMMAND, lines=(OrderLine(sku="x", quantity=10**6, unit_price=Decimal(10**9)),)
            ),
            "total must be below",
        ),
    ],
)
def test_impossible_orders_are_refused(command: PlaceOrder, reason: str) -> None:
    with pytest.raises(InvalidOrderError, match=reason):
        Order.place(command, order_id=ORDER_ID, at=NOON)


@given(st.lists(st.sampled_from(["confirm", "cancel"]), max_size=8))
def test_history_rebuilds_the_order_that_made_it(wishes: list[str]) -> None:
    history: list[Event] = [Order.place(COMMAND, order_id=ORDER_ID, at=NOON)]
    order = Order.rehydrate(history)
    for wish in wishes:
        try:
            events = (
                order.confirm(CONFIRM, at=LATER)
                if wish == "confirm"
                else order.cancel(CANCEL, at=LATER)
            )
        except OrderStateError:
            continue
        order = after(order, events)
        history.extend(events)
    assert Order.rehydrate(history) == order
    assert order.version == len(history)
    assert (order.payment_id is not None) == (order.status is Status.CONFIRMED)
    assert (order.cancel_reason is not None) == (order.status is Status.CANCELLED)


def test_a_history_begins_with_the_creation() -> None:
    with pytest.raises(ValueError, match="begins with OrderCreated"):
        Order.rehydrate([])
    with pytest.raises(ValueError, match="created twice"):
        pending().apply(Order.place(COMMAND, order_id=ORDER_ID, at=NOON))
