"""What the demonstration sends, and what a source of orders yields: an order, or a row that is none."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from infra.errors import TailraceError

GENERATED = "generated"  # name of the source that makes orders up
FORMS = ("choreography", "orchestration")  # of an order's fulfilment


class DemoError(TailraceError):
    """The demonstration cannot begin, or cannot go on."""


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one article at one price."""

    sku: str
    quantity: int
    unit_price: Decimal

    @property
    def total(self) -> Decimal:
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order to be placed."""

    place: str  # where it comes from, in words, such as `lines 4-6`
    rows: int
    customer_id: str
    currency: str
    lines: tuple[Line, ...]
    total: Decimal  # what it comes to according to its source, not according to `lines`
    fulfilment: str | None = None  # its form; None leaves that to the service
    is_of_user: bool = False  # its customer is a user, who may pay less than the total

    def body(self) -> bytes:
        lines = [
            {
                "sku": line.sku,
                "quantity": line.quantity,
                "unit_price": f"{line.unit_price:f}",
                "tax_rate": "0",  # prices are what the customer pays
            }
            for line in self.lines
        ]
        order = {"customer_id": self.customer_id, "currency": self.currency, "lines": lines}
        if self.fulfilment:
            order["fulfilment"] = self.fulfilment
        return json.dumps(order, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that becomes no order."""

    first: int  # number of its first line in the file, from 1
    last: int
    reason: str
    order: str | None = None  # which order it belongs to, where the file tells

    def __str__(self) -> str:
        return f"{lines_of(self.first, self.last)}: {self.reason}"


class Source(Protocol):
    """Where orders come from."""

    @property
    def name(self) -> str:
        """`GENERATED`, or the name of the file."""
        ...

    @property
    def explanation(self) -> Sequence[str]: ...

    @property
    def total(self) -> int | None:
        """Orders or rows to come, for the progress bar; None when that cannot be told."""
        ...

    def __iter__(self) -> Iterator[NewOrder | BadRow]:
        """Yield everything once, in the source's order."""
        ...


def lines_of(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first}-{last}"
