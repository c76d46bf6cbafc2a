"""What is set aside for an order: all of it or nothing. No I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from schemas.messages.inventory import Item, ItemsReleased, ItemsReserved, OutOfStock

Items = Mapping[str, int]
"""Units of each article, by its sku."""


class Status(StrEnum):
    """Where a reservation stands."""

    OPEN = "open"  # something is still to be heard of it
    RESERVED = "reserved"
    REFUSED = "refused"
    RELEASED = "released"
    SHIPPED = "shipped"
    WITHDRAWN = "withdrawn"  # undone before it was done, so that it never will be


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What is set aside for an order. There is one reservation for an order, whatever becomes of it."""

    reservation_id: UUID
    order_id: UUID
    status: Status
    items: Items | None  # None as long as nobody has told what was ordered
    missing: tuple[str, ...]  # articles of which there was too little
    paid: bool
    updated_at: datetime
    version: int  # number of events that it has had

    @property
    def is_due(self) -> bool:
        """Whether everything is known, and there is something to set aside."""
        return self.status is Status.OPEN and self.paid and bool(self.items)

    def decided(self, on_hand: MutableMapping[str, int], at: datetime) -> "Reservation":
        """Return what becomes of it, and take from the stock on hand what is set aside."""
        wanted = self.items or {}
        missing = tuple(sorted(sku for sku in wanted if on_hand.get(sku, 0) < wanted[sku]))
        if missing:
            return replace(self, status=Status.REFUSED, missing=missing, updated_at=at)
        for sku, quantity in wanted.items():
            on_hand[sku] -= quantity
        return replace(self, status=Status.RESERVED, updated_at=at)

    def outcome(self) -> ItemsReserved | OutOfStock:
        """Return what is told of whether something is set aside."""
        if self.status in {Status.RESERVED, Status.SHIPPED}:
            items = (self.items or {}).items()
            return ItemsReserved(
                reservation_id=self.reservation_id,
                order_id=self.order_id,
                items=tuple(Item(sku=sku, quantity=quantity) for sku, quantity in items),
                reserved_at=self.updated_at,
            )
        return OutOfStock(
            reservation_id=self.reservation_id,
            order_id=self.order_id,
            skus=self.missing,
            refused_at=self.updated_at,
        )

    def released(self) -> ItemsReleased:
        return ItemsReleased(
            reservation_id=self.reservation_id,
            order_id=self.order_id,
            released_at=self.updated_at,
        )


def summed(lines: Iterable[tuple[str, int]]) -> Items:
    """Add up units by article, in the order of the skus."""
    units: Counter[str] = Counter()
    for sku, quantity in lines:
        units[sku] += quantity
    return dict(sorted(units.items()))
