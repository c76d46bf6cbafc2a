"""The candidate: the services and workers of the product, as `make up` runs them."""

from collections.abc import Iterator
from contextlib import contextmanager

from infra.local.supervision.client import Supervisor
from tests.bench.e2e.contender import AtWork
from tests.bench.e2e.traffic import ORDER, System
from tests.stack import RunningStack

NAME = "ours"
SERVICES = ("storefront", "orders", "payments-worker", "orders-worker", "analytics-worker")


@contextmanager
def ours(stack: RunningStack) -> Iterator[AtWork]:
    """Start the publisher, the services and workers, and stop them at the end."""
    parts = ("connect" if stack.settings.publisher == "cdc" else "relay", *SERVICES)
    for part in parts:
        stack.start(part)
    try:
        running = Supervisor(stack.settings.home).processes()
        system = System(
            url=f"{stack.settings.url_of('storefront')}/v2/orders",
            order=ORDER,
            bootstrap=stack.settings.kafka_bootstrap,
            topic="order.events",
            last=frozenset({b"orders.OrderConfirmed", b"orders.OrderCancelled"}),
        )
        yield AtWork(system, {part: running[part].pid for part in parts})
    finally:
        Supervisor(stack.settings.home).stop(parts)
