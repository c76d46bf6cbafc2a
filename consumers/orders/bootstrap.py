"""Wires the reacting half of orders together; nothing is built anywhere else."""

from pydantic import Field

from cdc.event_log.snapshots import DEFAULT_EVERY
from cdc.outbox import Outbox
from consumers.orders.handlers import OrderReactions
from consumers.runtime.consumer import Consumer
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.worker import WorkerApp
from producers.orders.event_log import order_snapshots
from schemas.messages.orders import OrderCancelled, OrderConfirmed


class Settings(WorkerSettings):
    """Settings of the orders worker.

    Args:
        snapshot_every: Versions of an order from one snapshot to the next; 0 takes none.
    """

    snapshot_every: int = Field(default=DEFAULT_EVERY, ge=0)


def create_app(settings: Settings) -> WorkerApp:
    """Build the worker.

    Args:
        settings: Its settings.

    Raises:
        UnknownSchemaError: a schema it writes was never published.
        RegistryUnavailableError: a schema id is not cached and the registry cannot be asked.
    """
    outbox = Outbox.open(
        settings.registry_url, settings.schema_cache, [OrderConfirmed, OrderCancelled]
    )
    reactions = OrderReactions(outbox, order_snapshots(settings.snapshot_every))
    consumer = Consumer(
        name="orders-worker",
        handlers=[reactions.confirm, reactions.cancel],
        unknown="park",  # whatever else becomes of a payment, an order may depend on it
    )
    return WorkerApp(consumer, settings)
