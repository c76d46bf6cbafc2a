"""The JSON of single Avro values: numbers, text, enums and bytes."""

import base64
import binascii
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from schemas.gate.avro.model import Enum, Fixed, Primitive

LARGEST_FLOAT = (2 - 2**-23) * 2.0**127

SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
Show = Callable[[Any], Any]
Take = Callable[[Any], Any]


class UnfitError(ValueError):
    """A JSON value is not of an Avro type; the text completes a sentence that begins with its place."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """How the values of one Avro type, as they stand in the bytes, are written in JSON."""

    show: Show  # raises any exception for what the type does not hold
    take: Take  # raises `UnfitError` for what does not fit


def plain(schema: Primitive | Enum | Fixed) -> Scalar:
    """Return how values of a type are written, its logical type left out."""
    match schema:
        case Enum():
            return symbol(schema.symbols)
        case Fixed():
            return Scalar(_show_bytes, _bytes(schema.size))
    return PRIMITIVES[schema.kind]


def same(value: Any) -> Any:
    return value


def _take_null(value: Any) -> None:
    if value is not None:
        raise unfit("null", value)


def _show_boolean(data: bytes) -> bool:
    return (b"\0", b"\1").index(data) == 1


def _take_boolean(value: Any) -> bytes:
    if not isinstance(value, bool):
        raise unfit("true or false", value)
    return b"\1" if value else b"\0"


def integer(bits: int) -> Callable[[Any], int]:
    bound = 2 ** (bits - 1)

    def take(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not -bound <= value < bound:
            raise unfit(f"a whole number of {bits} bits", value)
        return value

    return take


def _show_float(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def _float(*, single: bool) -> Take:
    def take(value: Any) -> float:
        if isinstance(value, str) and value in SPECIAL_FLOATS:
            return SPECIAL_FLOATS[value]
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise unfit("a number", value)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if abs(number) > LARGEST_FLOAT if single else math.isinf(number):
            raise UnfitError(f"should be a smaller number than {value}")
        return number

    return take


def _take_text(value: Any) -> str:
    if not isinstance(value, str):
        raise unfit("text", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UnfitError("holds half of a surrogate pair, which is no text") from None
    return value


def symbol(symbols: Sequence[str]) -> Scalar:
    numbers = {each: number for number, each in enumerate(symbols)}
    by_number = dict(enumerate(symbols))  # a list would count a negative number from its end

    def take(value: Any) -> int:
        if not isinstance(value, str) or value not in numbers:
            raise unfit(f"one of {', '.join(symbols)}", value)
        return numbers[value]

    return Scalar(by_number.__getitem__, take)


def _show_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(size: int | None) -> Take:
    def take(value: Any) -> bytes:
        if not isinstance(value, str):
            raise unfit("bytes in base64", value)
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise unfit("bytes in base64", value) from None
        if size is not None and len(data) != size:
            raise UnfitError(f"should be {size} bytes in base64, not {len(data)}")
        return data

    return take


def unfit(wanted: str, value: Any) -> UnfitError:
    return UnfitError(f"should be {wanted}, not {told(value)}")


def told(value: Any) -> str:
    """Return a JSON value as an error message names it: short, and as it is written."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return f'"{value[:40]}…"' if len(value) > 40 else f'"{value}"'
    return str(value)[:40]


PRIMITIVES = {
    "null": Scalar(same, _take_null),
    "boolean": Scalar(_show_boolean, _take_boolean),
    "int": Scalar(integer(32), integer(32)),
    "long": Scalar(same, integer(64)),
    "float": Scalar(_show_float, _float(single=True)),
    "double": Scalar(_show_float, _float(single=False)),
    "string": Scalar(same, _take_text),
    "bytes": Scalar(_show_bytes, _bytes(None)),
}
