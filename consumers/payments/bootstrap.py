"""Wires the payments service together; nothing is built anywhere else."""

from decimal import Decimal

from pydantic import Field

from consumers.payments.handlers import PaymentHandlers
from consumers.payments.processor import (
    CapturedCardProcessor,
    CardProcessor,
    SimulatedCardProcessor,
)
from schemas.messages.payments import PaymentCompleted, PaymentFailed
from tailrace import Consumer, Outside, Table, WorkerSettings


class Settings(WorkerSettings):
    """Settings of the payments service."""

    # largest amount the simulated card processor takes, in any currency
    card_limit: Decimal = Field(default=Decimal(10_000), ge=0)
    card_latency_ms: int = Field(default=0, ge=0)  # how long its answer takes, in milliseconds


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    processor = outside.party(
        "card processor",
        lambda: _card_processor(settings),
        lambda note: CapturedCardProcessor(note, limit=settings.card_limit),
    )
    handlers = PaymentHandlers(processor)
    return Consumer(
        name="payments-worker",
        handlers=[handlers.charge_card],
        sends=[PaymentCompleted, PaymentFailed],
        tables={
            "payment": Table(
                key=("order_id",),
                leave_out=frozenset({"payment_id", "settled_at"}),
                record_key="order_id",
            )
        },
    )


def _card_processor(settings: Settings) -> CardProcessor:
    return SimulatedCardProcessor(limit=settings.card_limit, latency_ms=settings.card_latency_ms)
