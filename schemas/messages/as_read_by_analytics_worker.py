"""Messages as analytics-worker reads them, generated from `readers/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """An order that counts as cancelled in the minute it was."""

    NAME: ClassVar[str] = "orders.OrderCancelled"
    READER: ClassVar[str | None] = "analytics-worker"

    currency: str
    """ISO 4217 code, by which orders are counted."""
    cancelled_at: datetime
    """When it was cancelled."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "cancelled_at": self.cancelled_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            currency=datum["currency"],
            cancelled_at=datum["cancelled_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    """An order whose total is revenue in the minute it was confirmed."""

    NAME: ClassVar[str] = "orders.OrderConfirmed"
    READER: ClassVar[str | None] = "analytics-worker"

    currency: str
    """ISO 4217 code of the total."""
    total: Decimal
    """What the order came to."""
    confirmed_at: datetime
    """When it was confirmed."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "total": self.total,
            "confirmed_at": self.confirmed_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            currency=datum["currency"],
            total=datum["total"],
            confirmed_at=datum["confirmed_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCreated:
    """An order that counts in the minute it was placed."""

    NAME: ClassVar[str] = "orders.OrderCreated"
    READER: ClassVar[str | None] = "analytics-worker"

    currency: str
    """ISO 4217 code, by which orders are counted."""
    placed_at: datetime
    """When the order was accepted."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "placed_at": self.placed_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            currency=datum["currency"],
            placed_at=datum["placed_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSignedUp:
    """A sign-up that counts on the day on which it happened; who it was is not read."""

    NAME: ClassVar[str] = "users.UserSignedUp"
    READER: ClassVar[str | None] = "analytics-worker"

    signed_up_at: datetime
    """When it happened."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "signed_up_at": self.signed_up_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            signed_up_at=datum["signed_up_at"],
        )
