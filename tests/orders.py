"""Orders in tests: placing them at the storefront, and looking at what became of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg

from infra.local.probe import wait_until
from infra.services import WORKERS
from tests import plain_http
from tests.stack import RunningStack

FULFILMENT_TIMEOUT_S = 60.0


def place(stack: RunningStack, customer_id: str = "ada", **changes: Any) -> dict[str, Any]:
    """Place an order and return it as the storefront answers.

    Args:
        stack: The running stack.
        customer_id: Whose order; `declined…` and `broke…` are refused by the card processor.
        changes: Fields of the request that differ.
    """
    line = {"sku": "book-1", "quantity": 2, "unit_price": "12.50"}
    request = {"customer_id": customer_id, "currency": "EUR", "lines": [line]} | changes
    answer = plain_http.post(f"{stack.settings.url_of('storefront')}/v1/orders", json=request)
    assert answer.status_code == httpx2.codes.CREATED, answer.text
    order: dict[str, Any] = answer.json()
    return order


def place_lines(
    stack: RunningStack, *lines: dict[str, Any], customer_id: str = "ada", **changes: Any
) -> dict[str, Any]:
    """Place an order in the newest version, in which lines may be digital, and return it.

    Args:
        lines: Fields of each line that differ.
        changes: Fields of the request that differ.
    """
    usual = {"sku": "book-1", "quantity": 2, "unit_price": "12.50", "tax_rate": "0"}
    request = {"customer_id": customer_id, "currency": "EUR"} | changes
    request["lines"] = [usual | each for each in lines]
    answer = plain_http.post(f"{stack.settings.url_of('storefront')}/v2/orders", json=request)
    assert answer.status_code == httpx2.codes.CREATED, answer.text
    order: dict[str, Any] = answer.json()
    return order


def place_digital(stack: RunningStack, customer_id: str = "ada") -> dict[str, Any]:
    """Place an order that ends with its payment."""
    return place_lines(stack, {"digital": True}, customer_id=customer_id)


def cancel(stack: RunningStack, order_id: str) -> httpx2.Response:
    """Cancel an order as its customer, and return the answer."""
    url = f"{stack.settings.url_of('storefront')}/v2/orders/{order_id}/cancel"
    return plain_http.post(url)


def find(stack: RunningStack, order_id: str) -> dict[str, Any]:
    """Return an order as it stands."""
    answer = plain_http.get(f"{stack.settings.url_of('storefront')}/v1/orders/{order_id}")
    assert answer.status_code == httpx2.codes.OK, answer.text
    order: dict[str, Any] = answer.json()
    return order


def wait_until_decided(stack: RunningStack, order_ids: Sequence[str]) -> Counter[str]:
    """Wait until no order is pending, and until analytics has counted them; return how many have which status."""
    wait_until(
        f"some of {len(order_ids)} orders are still pending or uncounted",
        lambda: effects(stack, order_ids).is_complete(len(order_ids)),
        timeout_s=FULFILMENT_TIMEOUT_S,
        interval_s=0.2,
    )
    return effects(stack, order_ids).statuses


@dataclass(frozen=True, slots=True)
class Effects:
    """What all services together made of some orders."""

    statuses: Counter[str]
    payments: int
    order_events: int
    payment_events: int
    counted: int

    def is_complete(self, orders: int) -> bool:
        """Whether every order is decided and analytics has seen both of its events."""
        return self.statuses["pending"] == 0 and self.counted >= 2 * orders


def effects(stack: RunningStack, order_ids: Iterable[str]) -> Effects:
    """Count the effects of orders in the tables of every service."""
    with psycopg.connect(stack.database_url("tailrace_owner")) as connection:
        ids = list(order_ids)

        def count(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query.encode(), {"ids": ids}).fetchall()

        statuses = count(
            "select status, count(*) from orders.customer_order"
            " where order_id = any(%(ids)s::uuid[]) group by status"
        )
        [[payments]] = count(
            "select count(*) from payments.payment where order_id = any(%(ids)s::uuid[])"
        )
        [[order_events]] = count(
            "select count(*) from orders.outbox_event where aggregate_id = any(%(ids)s)"
        )
        [[payment_events]] = count(
            "select count(*) from payments.outbox_event where aggregate_id in"
            " (select payment_id::text from payments.payment where order_id = any(%(ids)s::uuid[]))"
        )
        [[counted]] = count(
            "select count(*) from analytics.inbox join orders.outbox_event on id = message_id"
            " where consumer = 'analytics-worker' and aggregate_id = any(%(ids)s)"
        )
    return Effects(Counter(dict(statuses)), payments, order_events, payment_events, counted)


def projection(stack: RunningStack) -> tuple[int, int, int]:
    """Return how many orders analytics counts as placed, confirmed and cancelled."""
    query = "select sum(placed), sum(confirmed), sum(cancelled) from orders_per_minute where currency <> 'XXX'"
    with psycopg.connect(stack.database_url("analytics")) as connection:
        row = connection.execute(query).fetchone() or (0, 0, 0)
    return (int(row[0] or 0), int(row[1] or 0), int(row[2] or 0))


def duplicates(stack: RunningStack) -> int:
    """Return how many deliveries the consumers of every service have dropped because their effect existed."""
    return duplicates_by_worker(stack).total()


def duplicates_by_worker(stack: RunningStack) -> Counter[str]:
    """Return how many deliveries each worker has dropped because their effect existed."""
    dropped: Counter[str] = Counter()
    for worker in WORKERS:
        with psycopg.connect(stack.database_url(str(worker.schema))) as connection:
            row = connection.execute(
                "select sum(duplicates) from consumer_offset where consumer = %s", [worker.name]
            ).fetchone()
            dropped[worker.name] = int(row[0] or 0) if row else 0
    return dropped
