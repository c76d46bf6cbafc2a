"""What a message class looks like to everything that carries messages."""

from collections.abc import Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, ClassVar, Protocol, Self


class Message(Protocol):
    """An immutable value whose shape an Avro record fixes. The classes are generated, see `schemas.generate`."""

    NAME: ClassVar[str]
    """Full name of the Avro record, such as `orders.OrderCreated`; also the registry subject and the `ce_type`."""

    READER: ClassVar[str | None]
    """Consumer that pinned this shape to read the message in; None for the message's own shape."""

    def to_avro(self) -> dict[str, Any]:
        """Return the datum that the Avro encoder takes."""
        ...

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        """Build the message from what the Avro decoder returns."""
        ...


def fit(value: Decimal, precision: int, scale: int) -> Decimal:
    """Return a decimal as an Avro decimal of this size holds it; the Avro library itself would let it overflow.

    Args:
        value: What is to be written.
        precision: Most digits in all.
        scale: Digits after the point.

    Raises:
        ValueError: the value has more digits on one side of the point.
    """
    context = Context(prec=precision, traps=[Inexact, InvalidOperation])
    try:
        return value.quantize(Decimal(1).scaleb(-scale), context=context)
    except (Inexact, InvalidOperation):
        raise ValueError(f"{value} does not fit decimal({precision}, {scale})") from None
