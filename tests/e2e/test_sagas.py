"""Sagas through every real part: two that meet at one card take turns, and one that has ended is run once more."""

import json
from collections.abc import Callable
from typing import Any, LiteralString

import psycopg

from cdc.ids import new_id
from infra.local.probe import wait_until
from tests.e2e.test_fulfilment import settled, stands
from tests.orders import FULFILMENT_TIMEOUT_S, place_lines
from tests.stack import RunningStack

PUBLISHERS = ("cdc",)

STASH = "select target, saga_id from saga_stash"
LOCKS = "select target from saga_lock"
ANSWERS = (
    "select aggregate_id, type from outbox where topic = 'fulfilment.replies' and aggregate_id = any (%s)"
    " order by seq"
)


def until(what: str, holds: Callable[[], bool]) -> None:
    wait_until(what, holds, timeout_s=FULFILMENT_TIMEOUT_S, interval_s=0.1)


def at_payments(stack: RunningStack, query: LiteralString, *values: object) -> list[Any]:
    with psycopg.connect(stack.database_url("payments")) as connection:
        return connection.execute(query, values).fetchall()


def test_two_orders_of_a_customer_take_turns_at_the_card(stack: RunningStack) -> None:
    customer = f"ada-{new_id()}"

    def place() -> str:
        order = place_lines(
            stack, {"sku": "book"}, customer_id=customer, fulfilment="orchestration"
        )
        order_id: str = order["order_id"]
        return order_id

    with stack.one_order_at_a_time():
        stack.stop("inventory-worker")
        try:
            first = place()
            until("nothing is held", lambda: stands(stack, first)[2] == "authorised")
            second = place()
            until("nobody waits", lambda: at_payments(stack, STASH) == [(customer, second)])
            stack.kill("payments-worker")
            locks = ("saga", "locks", "--for", "1", "--json")
            until("nobody waits for long", lambda: stack.cli(*locks, check=False).returncode == 1)
            [seen] = json.loads(stack.cli(*locks, check=False).stdout)
            assert (seen["consumer"], seen["target"]) == ("payments-worker", customer)
            assert (seen["saga_id"], seen["waiting_sagas"]) == (first, [second])
            assert stands(stack, second)[2] is None
            flow = stack.cli("flow", "show", second, check=False).stdout
            assert f"payments-worker: stashed: card {customer} is held by saga {first}" in flow
        finally:
            stack.start("inventory-worker")
        settled(stack, [first, second])
        assert stands(stack, first)[0] == stands(stack, second)[0] == "confirmed"
        until("something is locked", lambda: at_payments(stack, LOCKS) == [])
    both = ("payments.PaymentAuthorised", "payments.PaymentCaptured")
    turns = [(order_id, type_) for order_id in (first, second) for type_ in both]
    assert at_payments(stack, ANSWERS, [first, second]) == turns


def test_a_saga_that_has_ended_is_run_once_more_from_a_step(stack: RunningStack) -> None:
    order_id = place_lines(stack, {"digital": True}, fulfilment="orchestration")["order_id"]
    settled(stack, [order_id])
    fork = ("saga", "fork", order_id, "--why", "to see", "--from-step")
    refused = stack.cli(*fork, "payment", check=False)
    assert refused.returncode == 1
    assert "from which on nothing is undone" in refused.stderr
    assert stack.cli(*fork, "capture").stdout.startswith("fork: done")
    until("it has not ended", lambda: ended(stack, order_id) == ("completed", 1))
    assert stands(stack, order_id)[:3] == ("confirmed", None, "completed")


def ended(stack: RunningStack, order_id: str) -> tuple[str, int]:
    """Return how a saga stands, and how many of its runs are over."""
    query = (
        "select status, (select count(*) from saga_run as r where r.saga_id = i.saga_id)"
        " from saga_instance as i where saga_id = %s"
    )
    with psycopg.connect(stack.database_url("fulfilment")) as connection:
        [row] = connection.execute(query, [order_id]).fetchall()
    return row
