"""Containers killed under load: the engine starts them again, and nothing is lost or done twice."""

import threading
import time
from contextlib import AbstractContextManager

import httpx2

from cdc.ids import new_id
from infra.local.probe import wait_until
from tests.again import show
from tests.books import disagreements
from tests.containers.container_stack import ContainerStack
from tests.meanwhile import meanwhile
from tests.orders import FULFILMENT_TIMEOUT_S, effects, wait_until_decided
from tests.stack import wait_until_running

KILLED = ("connect", "payments-worker", "postgres")
ORDERS_AFTER_A_KILL = 15
PAUSE_S = 0.2
NOTICED_S = 1.0
"""An answer that took longer waited for something; others take a fiftieth of it."""
REQUEST = {
    "customer_id": "ada",
    "currency": "EUR",
    "lines": [{"sku": "book-1", "quantity": 1, "unit_price": "12.50"}],
}


class Customer:
    """Places orders one after the other, each again under its key until it is answered well."""

    def __init__(self, stack: ContainerStack) -> None:
        self._url = f"{stack.settings.url_of('storefront')}/v1/orders"
        self.orders: list[str] = []
        self.refused = 0
        self.waited = 0

    def at_work(self) -> AbstractContextManager[None]:
        return meanwhile(self._work)

    def wait_for(self, number: int) -> None:
        """Wait until so many more orders are placed."""
        aim = len(self.orders) + number
        wait_until(
            "no order is taken any more",
            lambda: len(self.orders) >= aim,
            timeout_s=120,
            interval_s=0.2,
        )

    def _work(self, stopped: threading.Event) -> None:
        with httpx2.Client(timeout=20) as client:
            while not stopped.wait(PAUSE_S):
                self._place(client, str(new_id()), stopped)

    def _place(self, client: httpx2.Client, key: str, stopped: threading.Event) -> None:
        while True:
            asked_at = time.monotonic()
            try:
                answer = client.post(self._url, json=REQUEST, headers={"Idempotency-Key": key})
            except httpx2.HTTPError:
                self.refused += 1
            else:
                if answer.status_code == httpx2.codes.CREATED:
                    self.orders.append(answer.json()["order_id"])
                    return
                self.refused += 1
            finally:
                self.waited += time.monotonic() - asked_at > NOTICED_S
            if stopped.wait(PAUSE_S):
                raise AssertionError(f"the order {key} was never answered")


def test_killed_containers_are_back_and_nothing_is_lost_or_done_twice(
    stack: ContainerStack,
) -> None:
    customer = Customer(stack)
    with customer.at_work():
        for part in KILLED:
            customer.wait_for(ORDERS_AFTER_A_KILL)
            before = stack.container(part)
            stack.kill(part)
            wait_until(
                f"{part} was not started again",
                lambda part=part, before=before: (  # type: ignore[misc]
                    stack.container(part).restarts > before.restarts
                    and stack.container(part).pid not in {None, before.pid}
                ),
                timeout_s=60,
                interval_s=0.2,
            )
            wait_until_running(stack, timeout_s=180)
        customer.wait_for(ORDERS_AFTER_A_KILL)
    show(
        customer.refused or customer.waited,
        "no request was under way when Postgres was killed: none was refused, and none had to wait",
    )
    orders = customer.orders
    assert len(set(orders)) == len(orders)
    assert wait_until_decided(stack, orders) == {"confirmed": len(orders)}
    wait_until(
        f"the books do not agree: {disagreements(stack, orders)}",
        lambda: not disagreements(stack, orders),
        timeout_s=FULFILMENT_TIMEOUT_S,
    )
    found = effects(stack, orders)
    assert (found.payments, found.payment_events) == (len(orders), len(orders))
    assert (found.order_events, found.counted) == (2 * len(orders), 2 * len(orders))
    stack.cli("outbox", "verify", "--topic", "order.events")
