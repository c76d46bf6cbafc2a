"""A shipment of what is set aside for an order. No I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from schemas.messages import inventory, shipping
from schemas.messages.shipping import ShipmentCancelled, ShipmentCreated, ShipmentRejected

WITHDRAWN = "withdrawn"  # why a shipment is refused that was undone before
UNSHIPPABLE = "unshippable"  # why one is refused of an article whose sku begins so

Items = Mapping[str, int]
"""Units of each article, by its sku."""


class Status(StrEnum):
    """Where a shipment stands."""

    CREATED = "created"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"  # undone before it was done, so that it never will be


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """What is sent for an order. There is one shipment for an order, whatever becomes of it."""

    shipment_id: UUID
    order_id: UUID
    status: Status
    reason: str | None = None  # why it was rejected; None when it was not
    items: Items | None  # None where it was undone before anybody said what is to be sent
    updated_at: datetime
    version: int = 0  # number of events that it has had

    @classmethod
    def of(
        cls,
        items: Iterable[inventory.Item | shipping.Item],
        *,
        order_id: UUID,
        shipment_id: UUID,
        at: datetime,
        version: int,
    ) -> "Shipment":
        """Decide on a shipment, by a rule, so that a run can be repeated."""
        units: Counter[str] = Counter()
        for item in items:
            units[item.sku] += item.quantity
        refused = any(sku.startswith(UNSHIPPABLE) for sku in units)
        return cls(
            shipment_id=shipment_id,
            order_id=order_id,
            status=Status.REJECTED if refused else Status.CREATED,
            reason=UNSHIPPABLE if refused else None,
            items=units,
            updated_at=at,
            version=version,
        )

    def outcome(self) -> ShipmentCreated | ShipmentRejected:
        """Return what is told of whether something is sent."""
        if self.status is Status.CREATED:
            return ShipmentCreated(
                shipment_id=self.shipment_id, order_id=self.order_id, created_at=self.updated_at
            )
        return ShipmentRejected(
            shipment_id=self.shipment_id,
            order_id=self.order_id,
            reason=self.reason or WITHDRAWN,
            rejected_at=self.updated_at,
        )

    def cancelled(self) -> ShipmentCancelled:
        return ShipmentCancelled(
            shipment_id=self.shipment_id, order_id=self.order_id, cancelled_at=self.updated_at
        )
