"""Kafka Connect and Postgres killed in mid-flow: what was committed takes effect, and all of it once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx2
import psycopg

from cdc.ids import new_id
from infra.local.probe import wait_until
from infra.services import OWNER
from tests.again import show
from tests.kafka import records_of
from tests.orders import duplicates, effects, place, projection, wait_until_decided
from tests.stack import RunningStack, wait_until_running
from tests.workers.chance import make_chance, tell

ORDERS_A_ROUND = 60
VICTIMS = ("connect", "postgres")
MOST_ROUNDS = 6


def test_killing_connect_and_postgres_loses_nothing_and_repeats_no_effect(
    stack: RunningStack,
) -> None:
    chance = make_chance()
    customer = f"chaos-{new_id()}"
    placed_before, confirmed_before, _ = projection(stack)
    dropped_before = duplicates(stack)
    killed: list[str] = []
    copies = 0
    while len(killed) < MOST_ROUNDS and not (copies and set(killed) == set(VICTIMS)):
        left = [victim for victim in VICTIMS if victim not in killed]
        victim = chance.choice(left or VICTIMS)
        place_while_dies(stack, customer, victim, after=chance.randrange(1, ORDERS_A_ROUND // 2))
        killed.append(victim)
        orders = orders_of(stack, customer)
        wait_until_decided(stack, orders)
        copies = copies_of(stack, orders)

    orders = orders_of(stack, customer)
    tell(f"{len(orders)} orders, killed {', '.join(killed)}, {copies} records delivered again")
    show(copies, "no record was ever delivered twice")
    assert duplicates(stack) > dropped_before
    number = len(orders)
    found = effects(stack, orders)
    assert (found.payments, found.payment_events) == (number, number)
    assert (found.order_events, found.counted) == (2 * number, 2 * number)
    placed, confirmed, _ = projection(stack)
    assert (placed - placed_before, confirmed - confirmed_before) == (number, number)


def place_while_dies(stack: RunningStack, customer: str, victim: str, *, after: int) -> None:
    """Place orders, kill a part when some have come through, and wait until everything runs again."""
    known = len(orders_of(stack, customer))
    with ThreadPoolExecutor(4) as executor:
        for _ in range(ORDERS_A_ROUND):
            executor.submit(try_to_place, stack, customer)
        wait_until(
            f"{after} orders did not come through before the kill",
            lambda: effects(stack, orders_of(stack, customer)[known:]).counted >= after,
            timeout_s=30,
        )
        stack.kill(victim)
    wait_until_running(stack)


def try_to_place(stack: RunningStack, customer: str) -> None:
    """Place an order if that can be done; whoever gets no answer does not know whether it was."""
    with suppress(httpx2.HTTPError, AssertionError):
        place(stack, customer_id=customer)


def orders_of(stack: RunningStack, customer: str) -> list[str]:
    """Return the orders that were committed, whatever was answered, oldest first."""
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        rows = connection.execute(
            "select order_id::text from orders.customer_order where customer_id = %s order by 1",
            [customer],
        ).fetchall()
    return [order_id for (order_id,) in rows]


def copies_of(stack: RunningStack, orders: list[str]) -> int:
    """Return how many records of orders lie in Kafka more than once."""
    ours = {order_id.encode() for order_id in orders}
    seen = records_of(stack, "order.events").values()
    return sum(len(records) - 1 for records in seen if records[0].key in ours)
