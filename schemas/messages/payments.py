"""Messages of the `payments` context, generated from `avro/payments/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCompleted:
    """The card processor took the money for an order."""

    NAME: ClassVar[str] = "payments.PaymentCompleted"
    READER: ClassVar[str | None] = None

    payment_id: UUID
    """Identity of the payment."""
    order_id: UUID
    """The order it pays for."""
    currency: str
    """ISO 4217 code of the amount."""
    amount: Decimal
    """What was taken."""
    completed_at: datetime
    """When it was taken."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "payment_id": self.payment_id,
            "order_id": self.order_id,
            "currency": self.currency,
            "amount": self.amount,
            "completed_at": self.completed_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            payment_id=datum["payment_id"],
            order_id=datum["order_id"],
            currency=datum["currency"],
            amount=datum["amount"],
            completed_at=datum["completed_at"],
        )


class DeclineReason(StrEnum):
    """Why a card processor says no."""

    UNKNOWN = "unknown"
    CARD_DECLINED = "card_declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    LIMIT_EXCEEDED = "limit_exceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed:
    """The card processor refused to take the money for an order."""

    NAME: ClassVar[str] = "payments.PaymentFailed"
    READER: ClassVar[str | None] = None

    payment_id: UUID
    """Identity of the attempt."""
    order_id: UUID
    """The order it was for."""
    currency: str
    """ISO 4217 code of the amount."""
    amount: Decimal
    """What was asked for."""
    reason: DeclineReason
    """Why it was refused."""
    failed_at: datetime
    """When it was refused."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "payment_id": self.payment_id,
            "order_id": self.order_id,
            "currency": self.currency,
            "amount": self.amount,
            "reason": self.reason.value,
            "failed_at": self.failed_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            payment_id=datum["payment_id"],
            order_id=datum["order_id"],
            currency=datum["currency"],
            amount=datum["amount"],
            reason=DeclineReason(datum["reason"]),
            failed_at=datum["failed_at"],
        )
