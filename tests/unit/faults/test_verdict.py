"""The verdict on a load of orders: each thing that can go wrong is seen, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from infra.demo.send import Answer, Unknown, Unsent
from schemas.rest.orders.v2 import Order
from tests.faults.account import Account, Delivered, Event
from tests.faults.load import Sent
from tests.faults.verdict import judge

ORDER = "01a20999-13c2-7477-bc0d-7ecf0b47d38d"
PAYMENT = "01a20999-13c2-7477-bc0d-7ecf0b47d38e"
CREATED, CONFIRMED, PAID = (f"01a20999-13c2-7477-bc0d-7ecf0b47000{n}" for n in range(3))


def accepted() -> Answer:
    return Order.model_validate(
        {
            "order_id": UUID(ORDER),
            "customer_id": "ada",
            "status": "pending",
            "currency": "EUR",
            "lines": [],
            "net": "4.50",
            "tax": "0.00",
            "total": "4.50",
            "placed_at": datetime.now(UTC),
            "updated_at": datetime.now(UTC),
            "version": 1,
        }
    )


def good(answer: Answer | None = None) -> Account:
    """An order that was placed and came to its end."""
    orders = [Event(CREATED, ORDER, 1, "request"), Event(CONFIRMED, ORDER, 2, "request")]
    return Account(
        sent=[Sent("request", 0.0, "choreography", answer or accepted())],
        statuses={ORDER: "confirmed"},
        events={"order.events": orders, "payment.events": [Event(PAID, PAYMENT, 1, "request")]},
        payments=[(ORDER, PAYMENT)],
        delivered={
            CREATED: [Delivered(2, 10)],
            CONFIRMED: [Delivered(2, 11)],
            PAID: [Delivered(0, 4)],
        },
        taken={
            "payments-worker": {CREATED},
            "analytics-worker": {CREATED, CONFIRMED},
            "inventory-worker": {CREATED, CONFIRMED},
            "fulfilment-worker": {CREATED},
            "orders-worker": {PAID},
        },
        counted=(1, 1),
        parked=0,
    )


def test_nothing_is_wrong_when_all_is_there_once() -> None:
    assert judge(good()).ok


def test_an_unanswered_order_may_be_there_or_not() -> None:
    unknown = Unknown("no answer")
    assert judge(good(unknown)).ok
    assert judge(replace(nothing(), sent=[Sent("request", 0.0, "choreography", unknown)])).ok


def test_a_payment_by_command_is_told_to_who_has_asked_for_it_alone() -> None:
    events = {**good().events, "payment.events": []}
    sent = [replace(good().sent[0], form="orchestration")]
    assert judge(replace(good(), sent=sent, events=events)).ok
    assert judge(replace(good(), events=events)).lost


def test_records_delivered_again_are_no_fault() -> None:
    again = {**good().delivered, CREATED: [Delivered(2, 10), Delivered(2, 12)]}
    account = replace(good(), delivered=again)
    assert judge(account).ok
    assert account.copies == 1


def nothing() -> Account:
    """A request that placed no order."""
    return replace(
        good(),
        statuses={},
        events={"order.events": [], "payment.events": []},
        payments=[],
        delivered={},
        taken={consumer: set() for consumer in good().taken},
        counted=(0, 0),
    )


def without(message_id: str) -> dict[str, list[Delivered]]:
    return {name: list(places) for name, places in good().delivered.items() if name != message_id}


def twice_charged() -> Account:
    return replace(good(), payments=[(ORDER, PAYMENT), (ORDER, "another")])


def placed_twice() -> Account:
    events = dict(good().events)
    events["order.events"] = [*events["order.events"], Event("x", "another", 1, "request")]
    return replace(good(), events=events)


WRONG: dict[str, tuple[str, Callable[[], Account]]] = {
    "an accepted order that is nowhere": ("lost", nothing),
    "an order that stays pending": ("lost", lambda: replace(good(), statuses={ORDER: "pending"})),
    "an order without a payment": ("lost", lambda: replace(good(), payments=[])),
    "a message not in Kafka": ("lost", lambda: replace(good(), delivered=without(PAID))),
    "a message without effect": (
        "lost",
        lambda: replace(good(), taken={**good().taken, "analytics-worker": {CREATED}}),
    ),
    "an order not counted": ("lost", lambda: replace(good(), counted=(0, 1))),
    "an order counted twice": ("repeated", lambda: replace(good(), counted=(1, 2))),
    "an order charged twice": ("repeated", twice_charged),
    "an order placed twice": ("repeated", placed_twice),
    "the second event before the first": (
        "reordered",
        lambda: replace(good(), delivered={**without(CREATED), CREATED: [Delivered(2, 12)]}),
    ),
    "events of a key in two partitions": (
        "reordered",
        lambda: replace(good(), delivered={**without(CREATED), CREATED: [Delivered(1, 10)]}),
    ),
    "an order that was answered as not placed": ("contradicted", lambda: good(Unsent("503"))),
    "a parked message": ("contradicted", lambda: replace(good(), parked=1)),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_seen(what: str) -> None:
    kind, account = WRONG[what]
    verdict = judge(account())
    assert getattr(verdict, kind), f"{what} was not seen"
    assert list(verdict.sentences())
    assert not verdict.ok
