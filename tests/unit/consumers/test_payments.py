"""How the simulated card processor decides, and what a payment tells."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from consumers.payments.domain import Payment, Status
from consumers.payments.processor import Charge, SimulatedCardProcessor
from schemas.messages.payments import (
    DeclineReason,
    PaymentCompleted,
    PaymentDeclined,
    PaymentFailed,
    PaymentRefunded,
)


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


PENDING = Payment(
    payment_id=UUID(int=1),
    order_id=UUID(int=2),
    currency="EUR",
    amount=Decimal(5),
    settled_at=datetime(2026, 1, 1, tzinfo=UTC),
)
LATER = datetime(2026, 1, 2, tzinfo=UTC)


def answered(declined: DeclineReason | None, taken: Status = Status.COMPLETED) -> Payment:
    return PENDING.answered(declined, taken=taken, at=LATER)


def test_a_payment_tells_what_became_of_it() -> None:
    [completed] = answered(None).events()
    assert isinstance(completed, PaymentCompleted)
    [failed] = answered(DeclineReason.CARD_DECLINED).events()
    assert isinstance(failed, PaymentFailed)
    assert failed.reason is DeclineReason.CARD_DECLINED
    [refunded] = answered(None).moved(Status.REFUNDED, at=LATER).events()
    assert isinstance(refunded, PaymentRefunded)
    assert (refunded.currency, refunded.amount) == ("EUR", Decimal(5))


def test_what_is_only_held_is_nothing_that_others_have_to_know() -> None:
    held = answered(None, Status.AUTHORISED)
    assert held.events() == held.moved(Status.VOIDED, at=LATER).events() == []


def test_what_was_undone_is_declined_and_nothing_of_it_is_given_back() -> None:
    withdrawn = PENDING.moved(Status.WITHDRAWN, at=LATER)
    for answer in (withdrawn.to_authorise(), withdrawn.to_capture()):
        assert isinstance(answer, PaymentDeclined)
        assert answer.reason == "withdrawn"
    assert withdrawn.refunded().amount is None
