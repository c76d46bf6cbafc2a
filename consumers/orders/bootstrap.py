"""Wires the reacting half of orders together; nothing is built anywhere else."""

from cdc.outbox import Outbox
from consumers.orders.handlers import OrderReactions
from consumers.runtime.consumer import Consumer
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.worker import WorkerApp
from schemas.messages.orders import OrderCancelled, OrderConfirmed


class Settings(WorkerSettings):
    """Settings of the orders worker."""


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
    reactions = OrderReactions(outbox)
    consumer = Consumer(
        name="orders-worker",
        handlers=[reactions.confirm, reactions.cancel],
        unknown="park",  # whatever else becomes of a payment, an order may depend on it
    )
    return WorkerApp(consumer, settings)
