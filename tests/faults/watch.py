"""Watches, through every fault, for orders whose effects are all there."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg

from infra.services import OWNER
from tests.faults.load import Load
from tests.stack import RunningStack

LOOK_S = 0.1
CONNECT_TIMEOUT_S = 2
# an order ends with its second event; analytics is the last to know
COMPLETE = """
select order_id
from orders.customer_order
join orders.outbox_event on aggregate_type = 'order' and aggregate_id = order_id::text
join analytics.inbox on message_id = id and consumer = 'analytics-worker'
where order_id = any(%s) and status <> 'pending'
group by order_id
having count(*) = 2
"""


@contextmanager
def watching(stack: RunningStack, load: Load) -> Iterator[None]:
    """Note while the block runs which orders are complete."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            try:
                with connect(stack) as connection:
                    while not ended.wait(LOOK_S):
                        _look(connection, load)
            except psycopg.OperationalError:
                ended.wait(LOOK_S)  # it was killed, which others are to notice

    with ThreadPoolExecutor(1) as executor:
        watcher = executor.submit(watch)
        try:
            yield
        finally:
            ended.set()
        watcher.result()


def connect(stack: RunningStack, context: str = "orders") -> "psycopg.Connection[Any]":
    """Connect to the database of a context as the role that may read everything there."""
    url = stack.deployment.capture_of(context).url(OWNER)
    return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)


def _look(connection: "psycopg.Connection[Any]", load: Load) -> None:
    if waiting := list(load.waiting):
        for (order_id,) in connection.execute(COMPLETE, [waiting]):
            load.complete(order_id)
