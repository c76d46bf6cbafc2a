"""The registry is needed to publish a schema, not to take an order."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.orders import place, wait_until_decided
from tests.stack import RunningStack


@pytest.fixture
def without_registry(stack: RunningStack) -> Iterator[None]:
    stack.stop("registry")
    try:
        yield
    finally:
        stack.start("registry")


def test_orders_are_taken_and_fulfilled(stack: RunningStack, without_registry: None) -> None:
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{stack.settings.registry_url}/subjects")
    order = place(stack)
    assert wait_until_decided(stack, [order["order_id"]]) == {"confirmed": 1}


def test_a_service_that_ran_before_starts_again(
    stack: RunningStack, without_registry: None
) -> None:
    for part in ("orders", "payments-worker"):
        stack.restart(part)
    order = place(stack)
    assert wait_until_decided(stack, [order["order_id"]]) == {"confirmed": 1}
