"""A payment: the money for an order, held or taken, refused, or given back. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from schemas.messages.payments import (
    DeclineReason,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentCompleted,
    PaymentDeclined,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
)

Event = PaymentCompleted | PaymentFailed | PaymentRefunded

WITHDRAWN = "withdrawn"  # why a payment is declined that was undone before


class Status(StrEnum):
    """Where a payment stands."""

    PENDING = "pending"  # only within the transaction that asks the card processor
    FAILED = "failed"
    AUTHORISED = "authorised"
    COMPLETED = "completed"
    VOIDED = "voided"
    REFUNDED = "refunded"
    WITHDRAWN = "withdrawn"  # undone before it was done, so that it never will be


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The money for an order. There is one payment for an order, whatever becomes of it."""

    payment_id: UUID
    order_id: UUID
    # None where it was undone before anybody said how much it is
    currency: str | None = None
    amount: Decimal | None = None
    status: Status = Status.PENDING
    decline_reason: DeclineReason | None = None  # why it failed; None when it did not
    settled_at: datetime  # when it came to stand so
    version: int = 0  # number of events that it has had

    def answered(self, declined: DeclineReason | None, *, taken: Status, at: datetime) -> "Payment":
        """Return the payment after the card processor's answer; `taken` is what it becomes by a yes."""
        status = Status.FAILED if declined else taken
        return replace(self, status=status, decline_reason=declined, settled_at=at)

    def moved(self, status: Status, *, at: datetime) -> "Payment":
        return replace(self, status=status, settled_at=at)

    def after(self, events: Sequence[Event]) -> "Payment":
        return replace(self, version=self.version + len(events))

    def events(self) -> list[Event]:
        """Return what is to be told of how it stands now."""
        match self:
            case Payment(
                status=Status.COMPLETED, currency=str() as currency, amount=Decimal() as amount
            ):
                return [
                    PaymentCompleted(
                        payment_id=self.payment_id,
                        order_id=self.order_id,
                        currency=currency,
                        amount=amount,
                        completed_at=self.settled_at,
                    )
                ]
            case Payment(
                currency=str() as currency,
                amount=Decimal() as amount,
                decline_reason=DeclineReason() as reason,
            ):
                return [
                    PaymentFailed(
                        payment_id=self.payment_id,
                        order_id=self.order_id,
                        currency=currency,
                        amount=amount,
                        reason=reason,
                        failed_at=self.settled_at,
                    )
                ]
            case Payment(status=Status.REFUNDED):
                return [self.refunded()]
        return []

    def to_authorise(self) -> PaymentAuthorised | PaymentDeclined:
        """Return the answer to whoever wants the money held."""
        match self:
            case Payment(
                status=Status.AUTHORISED | Status.COMPLETED,
                currency=str() as currency,
                amount=Decimal() as amount,
            ):
                return PaymentAuthorised(
                    payment_id=self.payment_id,
                    order_id=self.order_id,
                    currency=currency,
                    amount=amount,
                    authorised_at=self.settled_at,
                )
        return self.declined()

    def to_capture(self) -> PaymentCaptured | PaymentDeclined:
        """Return the answer to whoever wants the money taken that is held."""
        match self:
            case Payment(
                status=Status.COMPLETED, currency=str() as currency, amount=Decimal() as amount
            ):
                return PaymentCaptured(
                    payment_id=self.payment_id,
                    order_id=self.order_id,
                    currency=currency,
                    amount=amount,
                    captured_at=self.settled_at,
                )
        return self.declined()

    def declined(self) -> PaymentDeclined:
        reason = self.decline_reason.value if self.decline_reason else WITHDRAWN
        return PaymentDeclined(order_id=self.order_id, reason=reason, declined_at=self.settled_at)

    def voided(self) -> PaymentVoided:
        return PaymentVoided(
            payment_id=self.payment_id, order_id=self.order_id, voided_at=self.settled_at
        )

    def refunded(self) -> PaymentRefunded:
        given_back = self.status is Status.REFUNDED
        return PaymentRefunded(
            payment_id=self.payment_id,
            order_id=self.order_id,
            currency=self.currency if given_back else None,
            amount=self.amount if given_back else None,
            refunded_at=self.settled_at,
        )
