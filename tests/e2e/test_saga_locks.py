"""Two sagas that meet at one card, through every real part: they take turns, and a killed participant loses neither."""

import json
from collections.abc import Callable
from typing import Any

import psycopg

from cdc.ids import new_id
from infra.local.probe import wait_until
from tests.e2e.test_fulfilment import settled, stands
from tests.orders import FULFILMENT_TIMEOUT_S, place_lines
from tests.stack import RunningStack

PUBLISHERS = ("cdc",)


def locks(stack: RunningStack, *options: str, code: int = 0) -> list[dict[str, Any]]:
    shown = stack.cli("saga", "locks", "--json", *options, check=False)
    assert shown.returncode == code, shown.stderr
    found: list[dict[str, Any]] = json.loads(shown.stdout)
    return found


def until(what: str, holds: Callable[[], bool]) -> None:
    wait_until(what, holds, timeout_s=FULFILMENT_TIMEOUT_S, interval_s=0.2)


def answers(stack: RunningStack, orders: list[str]) -> list[tuple[str, str]]:
    """Return what payments has answered about orders, in its order."""
    query = "select aggregate_id, type from outbox where aggregate_id = any (%s) and kind = 'reply' order by seq"
    with psycopg.connect(stack.database_url("payments")) as connection:
        return connection.execute(query, [orders]).fetchall()


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
            until("nobody waits", lambda: [each["waiting"] for each in locks(stack)] == [1])
            stack.kill("payments-worker")
            [seen] = locks(stack, "--for", "1", code=1)
            assert (seen["consumer"], seen["target"]) == ("payments-worker", customer)
            assert (seen["saga_id"], seen["waiting_sagas"]) == (first, [second])
            assert f"held by {first} (fulfilment.replies)" in locks_text(stack)
            assert stands(stack, second)[2] is None
            flow = stack.cli("flow", "show", second, check=False).stdout
            assert f"payments-worker: stashed: card {customer} is held by saga {first}" in flow
        finally:
            stack.start("inventory-worker")
        settled(stack, [first, second])
        assert stands(stack, first)[0] == stands(stack, second)[0] == "confirmed"
        until("something is locked", lambda: locks(stack) == [])
    both = ("payments.PaymentAuthorised", "payments.PaymentCaptured")
    turns = [(order_id, type_) for order_id in (first, second) for type_ in both]
    assert answers(stack, [first, second]) == turns


def locks_text(stack: RunningStack) -> str:
    return stack.cli("saga", "locks", check=False).stdout
