"""The JSON of single Avro values: numbers, text, enums and bytes."""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

LARGEST_FLOAT = (2 - 2**-23) * 2.0**127

SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
Show = Callable[[Any], Any]
Take = Callable[[Any], Any]


class UnfitError(ValueError):
    """A JSON value is not of an Avro type; the text completes a sentence that begins with its place."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """How the values of one Avro type are written in JSON."""

    show: Show
    take: Take  # from JSON to what Avro holds; raises `UnfitError`


def plain(schema: Mapping[str, Any]) -> Scalar:
    """Return how values of a type are written, its logical type left out."""
    kind = schema["type"]
    if kind == "enum":
        return Scalar(same, _symbol(schema["symbols"]))
    if kind == "fixed":
        return Scalar(_show_bytes, _bytes(schema["size"]))
    if kind not in PRIMITIVES:
        raise ValueError(f"{kind} is no Avro type")
    return PRIMITIVES[kind]


def same(value: Any) -> Any:
    return value


def _take_null(value: Any) -> None:
    if value is not None:
        raise unfit("null", value)


def _take_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise unfit("true or false", value)
    return value


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


def _symbol(symbols: list[str]) -> Take:
    def take(value: Any) -> str:
        if value not in symbols or not isinstance(value, str):
            raise unfit(f"one of {', '.join(symbols)}", value)
        return value

    return take


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
    "boolean": Scalar(same, _take_boolean),
    "int": Scalar(same, integer(32)),
    "long": Scalar(same, integer(64)),
    "float": Scalar(_show_float, _float(single=True)),
    "double": Scalar(_show_float, _float(single=False)),
    "string": Scalar(same, _take_text),
    "bytes": Scalar(_show_bytes, _bytes(None)),
}
