"""How the simulated card processor decides, and what a payment tells."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from consumers.payments.domain import Payment
from consumers.payments.processor import Charge, SimulatedCardProcessor
from schemas.messages.payments import DeclineReason, PaymentCompleted, PaymentFailed


def decision(customer_id: str, amount: str) -> DeclineReason | None:
    processor = SimulatedCardProcessor(limit=Decimal(100))
    charge = Charge(
        idempotency_key="k", customer_id=customer_id, amount=Decimal(amount), currency="EUR"
    )
    return asyncio.run(processor.charge(charge))


@pytest.mark.parametrize(
    ("customer_id", "amount", "reason"),
    [
        ("ada", "100", None),
        ("ada", "0", None),
        ("ada", "100.01", DeclineReason.LIMIT_EXCEEDED),
        ("declined-3", "1", DeclineReason.CARD_DECLINED),
        ("broke-3", "1", DeclineReason.INSUFFICIENT_FUNDS),
    ],
)
def test_the_card_processor_decides_by_rule(
    customer_id: str, amount: str, reason: DeclineReason | None
) -> None:
    assert decision(customer_id, amount) == reason


def payment(declined: DeclineReason | None) -> Payment:
    return Payment(
        payment_id=UUID(int=1),
        order_id=UUID(int=2),
        currency="EUR",
        amount=Decimal(5),
        declined=declined,
        settled_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_a_payment_tells_what_became_of_it() -> None:
    assert isinstance(payment(None).event(), PaymentCompleted)
    failed = payment(DeclineReason.CARD_DECLINED).event()
    assert isinstance(failed, PaymentFailed)
    assert failed.reason is DeclineReason.CARD_DECLINED
