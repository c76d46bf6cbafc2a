"""Wires the payments service together; nothing is built anywhere else."""

from consumers.payments.cashier import Cashier
from consumers.payments.commands import PaymentCommands
from consumers.payments.handlers import PaymentHandlers
from consumers.payments.processor import (
    CapturedCardProcessor,
    CardProcessor,
    SimulatedCardProcessor,
)
from consumers.payments.settings import OwnSettings
from schemas.messages.orders import OrderCancelled
from schemas.messages.payments import (
    AuthorisePayment,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentCompleted,
    PaymentDeclined,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
)
from tailrace import Consumer, Lock, Outside, Table, WorkerSettings

EVENTS = (PaymentCompleted, PaymentFailed, PaymentRefunded)
CARD = Lock(
    name="card",
    takes={AuthorisePayment: lambda command: command.customer_id},
    freed_by=[PaymentCaptured, PaymentDeclined, PaymentVoided, PaymentRefunded, OrderCancelled],
)
REPLIES = (PaymentAuthorised, PaymentDeclined, PaymentCaptured, PaymentVoided)


class Settings(WorkerSettings, OwnSettings):
    """Settings of the payments service."""


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    processor = outside.party(
        "card processor",
        lambda: _card_processor(settings),
        lambda note: CapturedCardProcessor(note, limit=settings.card_limit),
    )
    cashier = Cashier(processor)
    events, commands = PaymentHandlers(cashier), PaymentCommands(cashier)
    return Consumer(
        name="payments-worker",
        handlers=[
            events.charge_cards,
            events.give_back,
            commands.authorise,
            commands.capture,
            commands.void,
            commands.refund,
        ],
        sends=[*EVENTS, *REPLIES],
        locks=[CARD] if settings.one_order_at_a_time else [],
        max_batch=100,  # cards that are charged at once; what comes next in an order's way begins by then
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
