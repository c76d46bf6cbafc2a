"""Messages as payments-worker reads them, generated from `readers/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Self
from uuid import UUID


class Fulfilment(StrEnum):
    """Who sees to it that an order is fulfilled."""

    UNKNOWN = "unknown"
    CHOREOGRAPHY = "choreography"
    ORCHESTRATION = "orchestration"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCreated:
    """An order whose total is to be charged."""

    NAME: ClassVar[str] = "orders.OrderCreated"
    READER: ClassVar[str | None] = "payments-worker"

    order_id: UUID
    """The order to pay for."""
    customer_id: str
    """Whose card is charged."""
    currency: str
    """ISO 4217 code of the total."""
    total: Decimal
    """How much is charged."""
    fulfilment: Fulfilment = Fulfilment.CHOREOGRAPHY
    """Whether this event is what has it charged."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "customer_id": self.customer_id,
            "currency": self.currency,
            "total": self.total,
            "fulfilment": self.fulfilment.value,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            order_id=datum["order_id"],
            customer_id=datum["customer_id"],
            currency=datum["currency"],
            total=datum["total"],
            fulfilment=Fulfilment(datum["fulfilment"]),
        )
