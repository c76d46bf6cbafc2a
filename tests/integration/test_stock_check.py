"""The storefront asks inventory before it passes an order on, when it is told to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest

from cdc.ids import new_id
from infra.local.probe import wait_until
from infra.services import OWNER
from tests.answers import assert_problem
from tests.services import PATIENCE_S, free_port, start, wait_until_healthy
from tests.stack import RunningStack

ON_HAND = 2

Order = Callable[..., httpx2.Response]


@pytest.fixture
def sku(stack: RunningStack) -> str:
    """An article of which there is a little."""
    name = f"rare-{new_id()}"
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        connection.execute(
            "insert into inventory.stock (sku, stocked, on_hand, reserved, shipped) values (%s, %s, %s, 0, 0)",
            [name, ON_HAND, ON_HAND],
        )
    return name


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "storefront.log"


@pytest.fixture
def order(stack: RunningStack, sku: str, log: Path) -> Iterator[Order]:
    """Order from a storefront that asks; quantities of as many lines, each of the rare article."""
    port = free_port()
    with log.open("w") as errors:
        process = start(
            *("-m", "producers.rest", "storefront"),
            errors=errors,
            port=str(port),
            orders_url=stack.settings.url_of("orders"),
            stock_check="ask",
            stock_timeout_ms="5000",
            kafka_bootstrap=stack.settings.kafka_bootstrap,
            registry_url=stack.settings.registry_url,
            schema_cache=str(stack.settings.schema_cache),
        )
    try:
        wait_until_healthy(process, port)
        base_url = f"http://127.0.0.1:{port}"
        with httpx2.Client(base_url=base_url, trust_env=False, timeout=PATIENCE_S) as client:

            def ask(
                *quantities: int, version: int = 2, key: UUID | None = None, **line: Any
            ) -> httpx2.Response:
                more = {"tax_rate": "0.07", **line} if version == 2 else line
                each = {"sku": sku, "unit_price": "9.99", **more}
                lines = [{**each, "quantity": quantity} for quantity in quantities]
                body = {"customer_id": "ada", "currency": "EUR", "lines": lines}
                headers = {"idempotency-key": str(key)} if key else {}
                return client.post(f"/v{version}/orders", json=body, headers=headers)

            yield ask
    finally:
        process.kill()
        process.wait()


def on_hand(stack: RunningStack, sku: str) -> int:
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        query = "select on_hand from inventory.stock where sku = %s"
        [[units]] = connection.execute(query, [sku]).fetchall()
    return int(units)


def stock_again(stack: RunningStack, sku: str) -> None:
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        connection.execute(
            "update inventory.stock set stocked = stocked + %s, on_hand = on_hand + %s where sku = %s",
            [ON_HAND, ON_HAND, sku],
        )


def ordered(stack: RunningStack, sku: str) -> int:
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        [[count]] = connection.execute(
            "select count(*) from orders.customer_order where lines::text like %s", [f"%{sku}%"]
        ).fetchall()
    return int(count)


@pytest.mark.parametrize("version", [1, 2])
def test_an_order_for_more_than_there_is_is_refused(
    stack: RunningStack, order: Order, sku: str, version: int
) -> None:
    for quantities in ([ON_HAND + 1], [ON_HAND, 1]):
        problem = assert_problem(order(*quantities, version=version), 409)
        assert problem["type"] == "urn:tailrace:problem:out-of-stock"
        assert sku in str(problem["detail"])
    assert ordered(stack, sku) == 0
    assert order(1, 1, version=version).status_code == 201
    assert ordered(stack, sku) == 1


@pytest.mark.parametrize("version", [1, 2])
def test_an_order_under_a_key_is_refused_unless_it_was_placed_before(
    stack: RunningStack, order: Order, sku: str, version: int
) -> None:
    key, other = new_id(), new_id()
    placed = order(ON_HAND, version=version, key=key)
    assert placed.status_code == 201
    wait_until("the stock is not taken", lambda: not on_hand(stack, sku), timeout_s=PATIENCE_S)
    again = order(ON_HAND, version=version, key=key)
    assert (again.json(), again.headers["idempotent-replayed"]) == (placed.json(), "true")
    problem = assert_problem(order(ON_HAND, version=version, key=other), 409)
    assert problem["type"] == "urn:tailrace:problem:out-of-stock"
    assert ordered(stack, sku) == 1
    stock_again(stack, sku)
    assert order(ON_HAND, version=version, key=other).status_code == 201


def test_what_needs_no_stock_is_not_asked_for(order: Order) -> None:
    assert order(ON_HAND + 1, digital=True).status_code == 201


def test_an_order_is_passed_on_when_inventory_does_not_answer(
    stack: RunningStack, order: Order, log: Path
) -> None:
    assert order(ON_HAND + 1).status_code == 409
    stack.stop("inventory-worker")
    assert order(ON_HAND + 1).status_code == 201
    assert "order passed on without a look at the stock" in log.read_text()
    assert "inventory did not answer inventory.GetStock" in log.read_text()
    stack.start("inventory-worker")
    assert order(ON_HAND + 1).status_code == 409
