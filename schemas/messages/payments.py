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


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded:
    """The money for an order was given back."""

    NAME: ClassVar[str] = "payments.PaymentRefunded"
    READER: ClassVar[str | None] = None

    payment_id: UUID
    """Identity of the payment."""
    order_id: UUID
    """The order it is for."""
    currency: str | None = None
    """ISO 4217 code of the amount; null when nothing had been taken."""
    amount: Decimal | None = None
    """What was given back; null when nothing had been taken."""
    refunded_at: datetime
    """When it was given back."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "payment_id": self.payment_id,
            "order_id": self.order_id,
            "currency": self.currency,
            "amount": self.amount,
            "refunded_at": self.refunded_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            payment_id=datum["payment_id"],
            order_id=datum["order_id"],
            currency=datum["currency"],
            amount=datum["amount"],
            refunded_at=datum["refunded_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorisePayment:
    """Have the card processor hold the money for an order."""

    NAME: ClassVar[str] = "payments.AuthorisePayment"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """The order it is for."""
    customer_id: str
    """Whose card is charged."""
    currency: str
    """ISO 4217 code of the amount."""
    amount: Decimal
    """How much is to be held."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "customer_id": self.customer_id,
            "currency": self.currency,
            "amount": self.amount,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
            customer_id=datum["customer_id"],
            currency=datum["currency"],
            amount=datum["amount"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturePayment:
    """Take the money that is held for an order."""

    NAME: ClassVar[str] = "payments.CapturePayment"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """The order it is for."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidPayment:
    """Let go of the money that is held for an order."""

    NAME: ClassVar[str] = "payments.VoidPayment"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """The order it is for."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPayment:
    """Give back the money that was taken for an order."""

    NAME: ClassVar[str] = "payments.RefundPayment"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """The order it is for."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthorised:
    """The card processor holds the money for an order."""

    NAME: ClassVar[str] = "payments.PaymentAuthorised"
    READER: ClassVar[str | None] = None

    payment_id: UUID
    """Identity of the payment."""
    order_id: UUID
    """The order it is for."""
    currency: str
    """ISO 4217 code of the amount."""
    amount: Decimal
    """What is held."""
    authorised_at: datetime
    """When it was held."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "payment_id": self.payment_id,
            "order_id": self.order_id,
            "currency": self.currency,
            "amount": self.amount,
            "authorised_at": self.authorised_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            payment_id=datum["payment_id"],
            order_id=datum["order_id"],
            currency=datum["currency"],
            amount=datum["amount"],
            authorised_at=datum["authorised_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDeclined:
    """The money for an order is neither held nor taken."""

    NAME: ClassVar[str] = "payments.PaymentDeclined"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """The order it is for."""
    reason: str
    """Why, as a snake_case word a program can branch on; `withdrawn` when it was undone before."""
    declined_at: datetime
    """When it was refused."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "reason": self.reason,
            "declined_at": self.declined_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
            reason=datum["reason"],
            declined_at=datum["declined_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptured:
    """The money that was held for an order was taken."""

    NAME: ClassVar[str] = "payments.PaymentCaptured"
    READER: ClassVar[str | None] = None

    payment_id: UUID
    """Identity of the payment."""
    order_id: UUID
    """The order it is for."""
    currency: str
    """ISO 4217 code of the amount."""
    amount: Decimal
    """What was taken."""
    captured_at: datetime
    """When it was taken."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "payment_id": self.payment_id,
            "order_id": self.order_id,
            "currency": self.currency,
            "amount": self.amount,
            "captured_at": self.captured_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            payment_id=datum["payment_id"],
            order_id=datum["order_id"],
            currency=datum["currency"],
            amount=datum["amount"],
            captured_at=datum["captured_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentVoided:
    """No money is held for an order any more, nor will be."""

    NAME: ClassVar[str] = "payments.PaymentVoided"
    READER: ClassVar[str | None] = None

    payment_id: UUID
    """Identity of the payment."""
    order_id: UUID
    """The order it is for."""
    voided_at: datetime
    """When it was let go of."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "payment_id": self.payment_id,
            "order_id": self.order_id,
            "voided_at": self.voided_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            payment_id=datum["payment_id"],
            order_id=datum["order_id"],
            voided_at=datum["voided_at"],
        )
