"""Messages of the `shipping` context, generated from `avro/shipping/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentCreated:
    """The articles of an order are ready to be sent."""

    NAME: ClassVar[str] = "shipping.ShipmentCreated"
    READER: ClassVar[str | None] = None

    shipment_id: UUID
    """Identity of the shipment."""
    order_id: UUID
    """The order it is for."""
    created_at: datetime
    """When it was made."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "shipment_id": self.shipment_id,
            "order_id": self.order_id,
            "created_at": self.created_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            shipment_id=datum["shipment_id"],
            order_id=datum["order_id"],
            created_at=datum["created_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentRejected:
    """An order cannot be sent."""

    NAME: ClassVar[str] = "shipping.ShipmentRejected"
    READER: ClassVar[str | None] = None

    shipment_id: UUID
    """Identity of the shipment."""
    order_id: UUID
    """The order it is for."""
    reason: str
    """Why, as a snake_case word a program can branch on; `withdrawn` when it was undone before."""
    rejected_at: datetime
    """When it was refused."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "shipment_id": self.shipment_id,
            "order_id": self.order_id,
            "reason": self.reason,
            "rejected_at": self.rejected_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            shipment_id=datum["shipment_id"],
            order_id=datum["order_id"],
            reason=datum["reason"],
            rejected_at=datum["rejected_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentCancelled:
    """Nothing is sent for an order, nor will be."""

    NAME: ClassVar[str] = "shipping.ShipmentCancelled"
    READER: ClassVar[str | None] = None

    shipment_id: UUID
    """Identity of the shipment."""
    order_id: UUID
    """The order it is for."""
    cancelled_at: datetime
    """When it was cancelled."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "shipment_id": self.shipment_id,
            "order_id": self.order_id,
            "cancelled_at": self.cancelled_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            shipment_id=datum["shipment_id"],
            order_id=datum["order_id"],
            cancelled_at=datum["cancelled_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Units of an article."""

    sku: str
    """Stock keeping unit of the article."""
    quantity: int
    """How many units, at least one."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "sku": self.sku,
            "quantity": self.quantity,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            sku=datum["sku"],
            quantity=datum["quantity"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateShipment:
    """Send the articles of an order."""

    NAME: ClassVar[str] = "shipping.CreateShipment"
    READER: ClassVar[str | None] = None

    order_id: UUID
    """The order it is for."""
    items: tuple[Item, ...]
    """What is to be sent."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "items": [item.to_avro() for item in self.items],
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
            items=tuple(Item.from_avro(item) for item in datum["items"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelShipment:
    """Do not send the articles of an order."""

    NAME: ClassVar[str] = "shipping.CancelShipment"
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
