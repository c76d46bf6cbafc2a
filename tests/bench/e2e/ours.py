"""The candidate: the services and workers of the product, as `make up` runs them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from infra.local.supervision.client import Supervisor
from schemas.messages.orders import Fulfilment
from tests.bench.e2e.contender import AtWork
from tests.bench.e2e.traffic import Steps, System
from tests.stack import RunningStack

NAME = "ours"
SERVICES: Mapping[Steps, tuple[str, ...]] = {
    "two": ("storefront", "orders", "payments-worker", "orders-worker", "analytics-worker"),
    "four": (
        "storefront",
        "orders",
        "payments-worker",
        "inventory-worker",
        "shipping-worker",
        "orders-worker",
        "analytics-worker",
    ),
}
ORCHESTRATOR = "fulfilment-worker"


@dataclass(frozen=True, slots=True)
class Ours:
    """The product.

    Args:
        form: In which form orders are fulfilled.
    """

    form: Fulfilment
    name = NAME

    def prepare(self, stack: RunningStack) -> None:
        """Make nothing: the stack has all of it."""

    @contextmanager
    def at_work(self, stack: RunningStack, steps: Steps) -> Iterator[AtWork]:
        """Start the publisher, the services and workers, and stop them at the end."""
        publisher = "connect" if stack.settings.publisher == "cdc" else "relay"
        parts = [publisher, *services(steps, self.form)]
        for part in parts:
            stack.start(part)
        try:
            running = Supervisor(stack.settings.home).processes()
            system = system_of(stack, steps, self.form)
            yield AtWork(system, {part: running[part].pid for part in parts})
        finally:
            Supervisor(stack.settings.home).stop(parts)


def system_of(stack: RunningStack, steps: Steps, form: Fulfilment) -> System:
    """Return the product of a stack that runs, as its clients see it."""
    return System(
        url=f"{stack.settings.url_of('storefront')}/v2/orders",
        steps=steps,
        more={"fulfilment": form.value},
        bootstrap=stack.settings.kafka_bootstrap,
        topic="order.events",
        last=frozenset({b"orders.OrderConfirmed", b"orders.OrderCancelled"}),
    )


def services(steps: Steps, form: Fulfilment) -> tuple[str, ...]:
    """Return the parts of the stack that orders need, without those that every contender uses."""
    needs_everybody = form is Fulfilment.ORCHESTRATION
    return (*SERVICES["four"], ORCHESTRATOR) if needs_everybody else SERVICES[steps]
