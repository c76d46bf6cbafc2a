"""A payment: one attempt to take the money for an order, settled or refused as soon as it is made."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from schemas.messages.payments import DeclineReason, PaymentCompleted, PaymentFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """An attempt to take money."""

    payment_id: UUID
    order_id: UUID
    currency: str
    amount: Decimal
    declined: DeclineReason | None  # why the money was not taken; None when it was
    settled_at: datetime

    @property
    def status(self) -> str:
        return "failed" if self.declined else "completed"

    def event(self) -> PaymentCompleted | PaymentFailed:
        if self.declined is None:
            return PaymentCompleted(
                payment_id=self.payment_id,
                order_id=self.order_id,
                currency=self.currency,
                amount=self.amount,
                completed_at=self.settled_at,
            )
        return PaymentFailed(
            payment_id=self.payment_id,
            order_id=self.order_id,
            currency=self.currency,
            amount=self.amount,
            reason=self.declined,
            failed_at=self.settled_at,
        )
