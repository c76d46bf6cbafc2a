"""Kafka Connect killed in mid-flow: nothing is lost, duplicates do come, and every effect happens once."""

from concurrent.futures import ThreadPoolExecutor

from infra.local.probe import wait_until
from tests.kafka import records_of
from tests.orders import effects, place, projection, wait_until_decided
from tests.stack import RunningStack

ORDERS_A_ROUND = 60
MOST_ROUNDS = 6


def test_killing_connect_loses_nothing_and_repeats_no_effect(stack: RunningStack) -> None:
    before = projection(stack)
    ids: list[str] = []
    copies: list[int] = []
    for _ in range(MOST_ROUNDS):
        ids += place_while_connect_dies(stack)
        wait_until_decided(stack, ids)
        copies = [len(records) for records in records_of(stack, "order.events").values()]
        if max(copies) > 1:
            break
    assert max(copies) > 1, "no record was ever delivered twice, so the test has shown nothing"

    found = effects(stack, ids)
    orders = len(ids)
    assert (found.payments, found.payment_events) == (orders, orders)
    assert (found.order_events, found.counted) == (2 * orders, 2 * orders)
    placed, confirmed, _ = projection(stack)
    assert (placed - before[0], confirmed - before[1]) == (orders, orders)


def place_while_connect_dies(stack: RunningStack) -> list[str]:
    """Place orders, kill Connect as soon as some of them have come through, and wait until it is back."""
    with ThreadPoolExecutor(4) as executor:
        futures = [executor.submit(place, stack) for _ in range(ORDERS_A_ROUND)]
        first = [future.result()["order_id"] for future in futures[: ORDERS_A_ROUND // 3]]
        wait_until(
            "no order came through before the kill",
            lambda: effects(stack, first).counted > 0,
            timeout_s=30,
        )
        stack.kill("connect")
        ids = [future.result()["order_id"] for future in futures]
    stack.wait_ready("connect")
    return ids
