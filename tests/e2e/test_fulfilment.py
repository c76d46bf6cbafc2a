"""An order's fulfilment in both forms, through every real part: each way that it can end, and what is undone then."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import httpx2
import psycopg
import pytest

from cdc.context import MessageContext
from cdc.database import open_pool
from cdc.ids import new_id
from cdc.outbox import Outbox
from consumers.fulfilment.saga import NOT_FULFILLED
from infra.demo.orders import FORMS
from infra.local.probe import wait_until
from schemas.catalogue import catalogue
from schemas.messages.inventory import TopUpStock
from tests.again import show
from tests.books import disagreements
from tests.kafka import records_of
from tests.orders import (
    FULFILMENT_TIMEOUT_S,
    cancel,
    duplicates,
    find,
    place_lines,
    wait_until_decided,
)
from tests.produce import NewRecord, Sender
from tests.stack import RunningStack, wait_until_running
from tests.workers.chance import make_chance, tell

PARTS = tuple(
    f"{each}-worker" for each in ("orders", "payments", "inventory", "shipping", "fulfilment")
)
LINES: tuple[dict[str, object], ...] = (
    {"sku": "book"},
    {"sku": "song", "digital": True},
    {"sku": "unshippable-piano"},
)
IN_BOTH_FORMS = pytest.mark.parametrize("form", FORMS)


def settled(stack: RunningStack, orders: Sequence[str]) -> None:
    """Wait until orders are decided and every service has done what follows from that."""
    wait_until_decided(stack, orders)
    wait_until(
        f"the books do not agree: {disagreements(stack, orders)}",
        lambda: not disagreements(stack, orders),
        timeout_s=FULFILMENT_TIMEOUT_S,
    )


def stands(stack: RunningStack, order_id: str) -> tuple[object, ...]:
    """Return where an order, its payment, reservation and shipment stand."""
    query = (
        "select o.status, o.cancel_reason, p.status, r.status, s.status from orders.customer_order as o"
        " left join payments.payment as p using (order_id) left join inventory.reservation as r using (order_id)"
        " left join shipping.shipment as s using (order_id) where order_id = %s"
    )
    with psycopg.connect(stack.database_url("tailrace_owner")) as connection:
        [row] = connection.execute(query, [order_id]).fetchall()
    return tuple(row)


@IN_BOTH_FORMS
def test_each_order_ends_in_its_way_and_what_was_done_for_it_is_undone(
    stack: RunningStack, form: str
) -> None:
    scarce = f"scarce-{new_id().hex}"
    asyncio.run(top_up(stack, scarce, units=1))
    wait_until(
        "nothing is in stock", lambda: is_stocked(stack, scarce), timeout_s=FULFILMENT_TIMEOUT_S
    )
    book, song = {"sku": "book"}, {"sku": "song", "digital": True}
    undone = "refunded" if form == "choreography" else "voided"
    unasked = "open" if form == "choreography" else None  # inventory hears of it, or nobody asks it
    place = partial(place_lines, stack, fulfilment=form)
    ends = {
        place(book, song)["order_id"]: (
            *("confirmed", None),
            *("completed", "shipped", "created"),
        ),
        place(song)["order_id"]: ("confirmed", None, "completed", unasked, None),
        place(book, customer_id="declined-bob")["order_id"]: (
            *("cancelled", "card_declined"),
            *("failed", "withdrawn", "withdrawn"),
        ),
        place({"sku": scarce}, book)["order_id"]: (
            *("cancelled", "out_of_stock"),
            *(undone, "refused", "withdrawn"),
        ),
        place({"sku": "unshippable-piano"})["order_id"]: (
            *("cancelled", "unshippable"),
            *(undone, "released", "rejected"),
        ),
    }
    settled(stack, list(ends))
    assert {order_id: stands(stack, order_id) for order_id in ends} == ends


async def top_up(stack: RunningStack, sku: str, units: int) -> None:
    outbox = Outbox.open(stack.settings.registry_url, stack.settings.schema_cache, [TopUpStock])
    async with (
        open_pool(stack.database_url("canary")) as pool,
        pool.connection() as connection,
        connection.transaction(),
    ):
        await outbox.send(
            connection,
            TopUpStock(sku=sku, units=units),
            key=sku,
            context=MessageContext(correlation_id=new_id()),
        )


def is_stocked(stack: RunningStack, sku: str) -> bool:
    with psycopg.connect(stack.database_url("inventory")) as connection:
        return connection.execute("select from stock where sku = %s", [sku]).rowcount == 1


@IN_BOTH_FORMS
def test_a_customer_cancels_until_the_order_is_confirmed(stack: RunningStack, form: str) -> None:
    stack.stop("orders-worker")
    try:
        order_id = place_lines(stack, {"sku": "book"}, fulfilment=form)["order_id"]
        wait_until(
            "nothing is sent",
            lambda: stands(stack, order_id)[-1] == "created",
            timeout_s=FULFILMENT_TIMEOUT_S,
        )
        for _ in range(2):
            answer = cancel(stack, order_id)
            assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    finally:
        stack.start("orders-worker")
    settled(stack, [order_id])
    assert stands(stack, order_id) == (
        *("cancelled", "customer_request"),
        *("refunded" if form == "choreography" else "voided", "released", "cancelled"),
    )
    kept = place_lines(stack, {"sku": "book"}, fulfilment=form)["order_id"]
    wait_until_decided(stack, [kept])
    refusal = cancel(stack, kept)
    assert refusal.status_code == httpx2.codes.CONFLICT
    assert refusal.json()["type"] == "urn:tailrace:problem:order-decided"
    assert find(stack, kept)["status"] == "confirmed"


@IN_BOTH_FORMS
def test_cancellations_cross_whatever_is_under_way(stack: RunningStack, form: str) -> None:
    orders = []

    def place_and_cancel(numbers: range) -> None:
        for number in numbers:
            orders.append(
                place_lines(stack, {"sku": f"book-{number % 3}"}, fulfilment=form)["order_id"]
            )
            answer = cancel(stack, orders[number - number % 4])
            assert answer.status_code in {httpx2.codes.OK, httpx2.codes.CONFLICT}

    with nobody_pays(stack):  # for less time than a participant has for its answer
        place_and_cancel(range(2))
        assert stands(stack, orders[0])[1] == "customer_request"
    place_and_cancel(range(2, 40))
    settled(stack, orders)
    reasons = {stands(stack, order_id)[1] for order_id in orders}
    # on a busy machine a participant may take longer after all
    assert reasons <= {None, "customer_request", NOT_FULFILLED}


@contextmanager
def nobody_pays(stack: RunningStack) -> Iterator[None]:
    """Hold all payments up while the block runs."""
    with psycopg.connect(stack.database_url("tailrace_owner")) as connection:
        connection.execute("lock table payments.payment in exclusive mode")
        yield


def test_whatever_crosses_whatever_every_order_ends_and_the_books_agree(
    stack: RunningStack,
) -> None:
    """Orders of all kinds are cancelled by chance, while workers are killed and records come again, late."""
    chance, orders, dropped = make_chance(), list[str](), duplicates(stack)
    for number in range(48):
        line, form = chance.choice(LINES), chance.choice(FORMS)
        customer = chance.choice(("ada", "ada", "declined-bob"))
        order = place_lines(stack, line, customer_id=customer, fulfilment=form)
        orders.append(order["order_id"])
        if chance.random() < 0.3:
            answer = cancel(stack, chance.choice(orders[-4:]))
            assert answer.status_code in {httpx2.codes.OK, httpx2.codes.CONFLICT}
        if number % 12 == 6:
            stack.kill(chance.choice(PARTS))
            deliver_again(stack, orders, chance)
            wait_until_running(stack)
    deliver_again(stack, orders, chance)
    settled(stack, orders)
    ends, before = {each: stands(stack, each) for each in orders}, duplicates(stack)
    deliver_again(stack, orders, chance)
    wait_until(
        "nothing was dropped as a duplicate",
        lambda: duplicates(stack) > before,
        timeout_s=FULFILMENT_TIMEOUT_S,
    )
    assert {each: stands(stack, each) for each in orders} == ends
    assert not disagreements(stack, orders)
    reasons = Counter(end[:2] for end in ends.values())
    tell(f"{dict(reasons)}; {before - dropped} duplicates dropped on the way")
    assert {status for status, _ in reasons} == {"confirmed", "cancelled"}
    show(before > dropped, "nothing came twice on the way")


def deliver_again(stack: RunningStack, orders: Sequence[str], chance: random.Random) -> None:
    """Have some of the records about orders come once more, behind all others."""
    sender = Sender(stack)
    for topic in catalogue().topics.values():
        if not set(PARTS).isdisjoint(topic.takers):
            copies = [
                NewRecord(
                    key=key,
                    value=record.value,
                    headers={name: value for name, value in record.headers.items() if value},
                )
                for records in records_of(stack, topic.name).values()
                for record in records
                if (key := (record.key or b"").decode()) in orders
            ]
            sender.send(topic.name, chance.sample(copies, len(copies) // 3))
