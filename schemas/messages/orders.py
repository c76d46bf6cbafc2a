"""Messages of the `orders` context, generated from `avro/orders/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One article of an order."""

    sku: str
    """Stock keeping unit of the article."""
    quantity: int
    """Units ordered, at least one."""
    unit_price: Decimal
    """Price of one unit, before tax."""
    tax_rate: Decimal | None = None
    """Tax as a part of the price, 0.19 for 19 %; null where the order was placed without a word of tax."""
    tax: Decimal | None = None
    """Tax on the whole line, rounded to the currency's minor unit; null where tax_rate is."""
    digital: bool = False
    """It needs neither stock nor shipment."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "sku": self.sku,
            "quantity": self.quantity,
            "unit_price": self.unit_price,
            "tax_rate": self.tax_rate,
            "tax": self.tax,
            "digital": self.digital,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            sku=datum["sku"],
            quantity=datum["quantity"],
            unit_price=datum["unit_price"],
            tax_rate=datum["tax_rate"],
            tax=datum["tax"],
            digital=datum["digital"],
        )


class Fulfilment(StrEnum):
    """Who sees to it that an order is fulfilled."""

    UNKNOWN = "unknown"
    CHOREOGRAPHY = "choreography"
    ORCHESTRATION = "orchestration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """What the customer's standing has done to the prices."""

    tier: str
    """Tier in the loyalty programme that the unit prices are for."""
    is_fallback: bool
    """The tier could not be found out, and is the lowest."""
    discount: Decimal
    """By how much the total is lower than it would be without the tier."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "tier": self.tier,
            "is_fallback": self.is_fallback,
            "discount": self.discount,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            tier=datum["tier"],
            is_fallback=datum["is_fallback"],
            discount=datum["discount"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCreated:
    """A customer placed an order; it waits for its payment."""

    NAME: ClassVar[str] = "orders.OrderCreated"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """Identity of the order."""
    customer_id: str
    """Who ordered."""
    currency: str
    """ISO 4217 code of every amount in this event."""
    lines: tuple[OrderLine, ...]
    """What was ordered, in the customer's sequence."""
    total: Decimal
    """What the customer pays: quantity times unit price, and the tax, of all lines."""
    placed_at: datetime
    """When the order was accepted."""
    fulfilment: Fulfilment = Fulfilment.CHOREOGRAPHY
    """By choreography each service goes on from the events of others; by orchestration it waits for commands."""
    pricing: Pricing | None = None
    """Null where the customer is no user, or was not asked about."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "customer_id": self.customer_id,
            "currency": self.currency,
            "lines": [item.to_avro() for item in self.lines],
            "total": self.total,
            "placed_at": self.placed_at,
            "fulfilment": self.fulfilment.value,
            "pricing": None if self.pricing is None else self.pricing.to_avro(),
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
            customer_id=datum["customer_id"],
            currency=datum["currency"],
            lines=tuple(OrderLine.from_avro(item) for item in datum["lines"]),
            total=datum["total"],
            placed_at=datum["placed_at"],
            fulfilment=Fulfilment(datum["fulfilment"]),
            pricing=None if datum["pricing"] is None else Pricing.from_avro(datum["pricing"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderConfirmed:
    """The order is paid and will be fulfilled."""

    NAME: ClassVar[str] = "orders.OrderConfirmed"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """Identity of the order."""
    payment_id: UUID
    """The payment that settled it."""
    currency: str
    """ISO 4217 code of the total."""
    total: Decimal
    """What the order came to."""
    confirmed_at: datetime
    """When it was confirmed."""
    customer_id: str | None = None
    """Who ordered; null before 2026-12."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "payment_id": self.payment_id,
            "currency": self.currency,
            "total": self.total,
            "confirmed_at": self.confirmed_at,
            "customer_id": self.customer_id,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
            payment_id=datum["payment_id"],
            currency=datum["currency"],
            total=datum["total"],
            confirmed_at=datum["confirmed_at"],
            customer_id=datum["customer_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """The order will not be fulfilled."""

    NAME: ClassVar[str] = "orders.OrderCancelled"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """Identity of the order."""
    reason: str
    """Why, as a snake_case word a program can branch on."""
    currency: str
    """ISO 4217 code of the total."""
    total: Decimal
    """What the order would have come to."""
    cancelled_at: datetime
    """When it was cancelled."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "reason": self.reason,
            "currency": self.currency,
            "total": self.total,
            "cancelled_at": self.cancelled_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
            reason=datum["reason"],
            currency=datum["currency"],
            total=datum["total"],
            cancelled_at=datum["cancelled_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmOrder:
    """Confirm an order: it is paid and will be sent."""

    NAME: ClassVar[str] = "orders.ConfirmOrder"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """Identity of the order."""
    payment_id: UUID
    """The payment that settled it."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "payment_id": self.payment_id,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
            payment_id=datum["payment_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Give an order up."""

    NAME: ClassVar[str] = "orders.CancelOrder"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """Identity of the order."""
    reason: str
    """Why, as a snake_case word a program can branch on."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "reason": self.reason,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
            reason=datum["reason"],
        )
