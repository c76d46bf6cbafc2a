"""What the demonstration sends, and what a source of orders yields: an order, or a row that is none."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from infra.errors import TailraceError

GENERATED = "generated"
"""Name of the source that makes orders up."""


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
        """Price of the line."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order to be placed.

    Args:
        place: Where it comes from, in words, such as `lines 4-6`.
        rows: Rows of the source that make it up.
        customer_id: Who orders.
        currency: ISO 4217 code of all its amounts.
        lines: What is ordered.
        total: What it comes to according to its source, not according to `lines`.
    """

    place: str
    rows: int
    customer_id: str
    currency: str
    lines: tuple[Line, ...]
    total: Decimal

    def body(self) -> bytes:
        """Return the body of `POST /v1/orders`."""
        lines = [
            {"sku": line.sku, "quantity": line.quantity, "unit_price": f"{line.unit_price:f}"}
            for line in self.lines
        ]
        order = {"customer_id": self.customer_id, "currency": self.currency, "lines": lines}
        return json.dumps(order, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that becomes no order.

    Args:
        first: Number of its first line in the file, from 1.
        last: Number of its last line.
        reason: What is wrong with it.
        order: Which order it belongs to, where the file tells.
    """

    first: int
    last: int
    reason: str
    order: str | None = None

    def __str__(self) -> str:
        """Return the sentence that names it."""
        return f"{lines_of(self.first, self.last)}: {self.reason}"


class Source(Protocol):
    """Where orders come from.

    Args:
        name: `GENERATED`, or the name of the file.
        explanation: Lines to be said before it is read.
        total: Orders or rows to come, for the progress bar; None when that cannot be told.
    """

    name: str
    explanation: Sequence[str]
    total: int | None

    def __iter__(self) -> Iterator[NewOrder | BadRow]:
        """Yield everything once, in the source's order."""
        ...


def lines_of(first: int, last: int) -> str:
    """Return `line 4`, or `lines 4-6`."""
    return f"line {first}" if first == last else f"lines {first}-{last}"
