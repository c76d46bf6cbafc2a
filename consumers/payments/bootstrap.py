"""Wires the payments service together; nothing is built anywhere else."""

from decimal import Decimal

from pydantic import Field

from cdc.outbox import Outbox
from consumers.payments.handlers import PaymentHandlers
from consumers.payments.processor import SimulatedCardProcessor
from consumers.runtime.consumer import Consumer
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.worker import WorkerApp
from schemas.messages.orders import OrderCancelled, OrderConfirmed
from schemas.messages.payments import PaymentCompleted, PaymentFailed


class Settings(WorkerSettings):
    """Settings of the payments service.

    Args:
        card_limit: Largest amount the simulated card processor takes, in any currency.
        card_latency_ms: How long its answer takes, in milliseconds.
    """

    card_limit: Decimal = Field(default=Decimal(10_000), ge=0)
    card_latency_ms: int = Field(default=0, ge=0)


def create_app(settings: Settings) -> WorkerApp:
    """Build the worker.

    Args:
        settings: Its settings.

    Raises:
        UnknownSchemaError: a schema it writes was never published.
        RegistryUnavailableError: a schema id is not cached and the registry cannot be asked.
    """
    outbox = Outbox.open(
        settings.registry_url, settings.schema_cache, [PaymentCompleted, PaymentFailed]
    )
    processor = SimulatedCardProcessor(
        limit=settings.card_limit, latency_ms=settings.card_latency_ms
    )
    handlers = PaymentHandlers(processor, outbox)
    consumer = Consumer(
        name="payments-worker",
        handlers=[handlers.charge_card],
        ignores=frozenset({OrderConfirmed, OrderCancelled}),
        unknown="park",  # a new kind of event may well be about money
    )
    return WorkerApp(consumer, settings)
