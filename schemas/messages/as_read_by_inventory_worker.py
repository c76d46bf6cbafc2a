"""Messages as inventory-worker reads them, generated from `readers/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
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
    digital: bool = False
    """It needs no stock."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "sku": self.sku,
            "quantity": self.quantity,
            "digital": self.digital,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            sku=datum["sku"],
            quantity=datum["quantity"],
            digital=datum["digital"],
        )


class Fulfilment(StrEnum):
    """Who sees to it that an order is fulfilled."""

    UNKNOWN = "unknown"
    CHOREOGRAPHY = "choreography"
    ORCHESTRATION = "orchestration"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCreated:
    """An order for whose articles there may have to be stock."""

    NAME: ClassVar[str] = "orders.OrderCreated"
    READER: ClassVar[str | None] = "inventory-worker"

    order_id: UUID
    """The order."""
    lines: tuple[OrderLine, ...]
    """What was ordered; an article may come more than once."""
    fulfilment: Fulfilment = Fulfilment.CHOREOGRAPHY
    """Whether its payment is what has it reserved."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "lines": [item.to_avro() for item in self.lines],
            "fulfilment": self.fulfilment.value,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
            lines=tuple(OrderLine.from_avro(item) for item in datum["lines"]),
            fulfilment=Fulfilment(datum["fulfilment"]),
        )
