"""Single Avro values between Python and the bytes: what each type holds, and nothing beside it.

Nothing is rounded, cut or guessed. What does not fit is refused: on the way out as `UnfitError`, which completes a
sentence that begins with the value's place; on the way in as any exception.
"""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from schemas.gate.avro.model import Enum, Fixed, Logical, Primitive
from schemas.json_logical import DAY_ONE, EPOCH, UUID_TEXT
from schemas.json_scalars import PRIMITIVES, UnfitError, integer, symbol, unfit
from schemas.uuids import parse_uuid

Turn = Callable[[Any], Any]
MICROSECOND = timedelta(microseconds=1)
A_DAY = timedelta(days=1) // MICROSECOND
UNITS = {"millis": 1000, "micros": 1}
"""Unit of a time -> microseconds."""
SINGLE = struct.Struct("<f")


class Scalar(NamedTuple):
    """How values of one type are held in Python, and pass to and from the bytes; None where there is nothing to do."""

    type: type
    read: Turn | None
    write: Turn


def scalar(schema: Primitive | Enum | Fixed) -> Scalar:
    if isinstance(schema, Enum):
        named = symbol(schema.symbols)
        return Scalar(str, named.show, named.take)
    size = schema.size if isinstance(schema, Fixed) else None
    logical = None if schema.logical is None else _logical(schema.logical, size)
    if logical is not None:
        return logical
    return PLAIN[schema.kind] if isinstance(schema, Primitive) else _binary(size)


def later(found: Sequence[Turn | None]) -> Turn:
    """Return the function of a record that stands within itself, whose own is being found; None changes nothing."""

    def turn(value: Any) -> Any:
        return value if found[0] is None else found[0](value)

    return turn


def rounded(value: float) -> float:
    result: float = SINGLE.unpack(SINGLE.pack(value))[0]
    return result


def _logical(logical: Logical, size: int | None) -> Scalar | None:
    """Return how a logical type is held in Python; None for those that Python has no type for."""
    name, _, unit = logical.name.rpartition("-")
    if logical.name == "decimal":
        return _decimal(logical.precision, logical.scale, size)
    if logical.name == "uuid":
        return UUIDS if size is None else FIXED_UUIDS
    if logical.name == "date":
        return Scalar(date, lambda days: date.fromordinal(DAY_ONE + days), _write_date)
    if unit not in UNITS:
        return None
    if name == "time":
        return Scalar(time, partial(_read_time, UNITS[unit]), partial(_write_time, UNITS[unit]))
    return _instant(UNITS[unit], zoned=name == "timestamp")


def _write_float(value: Any, *, single: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise unfit("a number", value)
    try:
        number = rounded(value) if single else float(value)
    except OverflowError:
        raise UnfitError(f"should be a smaller number than {value}") from None
    if number != value and not math.isnan(value):
        raise UnfitError(f"has more digits than {'float' if single else 'double'} holds: {value}")
    return number


def _binary(size: int | None) -> Scalar:
    def write(value: Any) -> Any:
        if not isinstance(value, bytes | bytearray) or (size is not None and len(value) != size):
            raise unfit("bytes" if size is None else f"{size} bytes", value)
        return value

    return Scalar(bytes, None, write)


def _decimal(precision: int, scale: int, size: int | None) -> Scalar:
    context = Context(prec=precision, traps=[Inexact, InvalidOperation])
    from_bytes, limit, what = int.from_bytes, 10**precision, f"decimal({precision}, {scale})"

    def read(data: bytes) -> Decimal:
        unscaled = from_bytes(data, "big", signed=True)
        if not data or not -limit < unscaled < limit:
            raise ValueError(f"the bytes hold no {what}")
        return Decimal(unscaled).scaleb(-scale, context)

    def write(value: Any) -> bytes:
        if not isinstance(value, Decimal) or not value.is_finite():
            raise unfit(f"a {what}", value)
        # asked before the digits are written out: an exponent may be any number
        if value and value.adjusted() >= precision - scale:
            raise UnfitError(f"does not fit {what}: {value}")
        try:
            unscaled = int(value.scaleb(scale, context).to_integral_exact(context=context))
        except (Inexact, InvalidOperation):
            raise UnfitError(f"does not fit {what}: {value}") from None
        return unscaled.to_bytes(size or unscaled.bit_length() // 8 + 1, "big", signed=True)

    return Scalar(Decimal, read, write)


def _write_uuid(value: Any) -> str:
    if not isinstance(value, UUID) and not UUID_TEXT.fullmatch(str(value)):
        raise unfit("a UUID", value)
    return str(value)


def _write_date(value: Any) -> int:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise unfit("a date", value)
    return value.toordinal() - DAY_ONE


def _read_time(microseconds: int, ticks: int) -> time:
    since = ticks * microseconds
    if not 0 <= since < A_DAY:
        raise ValueError(f"{ticks} is no time of day")
    return (EPOCH + since * MICROSECOND).time()


def _write_time(microseconds: int, value: Any) -> int:
    if not isinstance(value, time) or value.tzinfo is not None:
        raise unfit("a time of day without a time zone", value)
    since = datetime.combine(EPOCH.date(), value, UTC) - EPOCH
    return _ticks(since, microseconds, value)


def _instant(microseconds: int, *, zoned: bool) -> Scalar:
    unit, epoch = microseconds * MICROSECOND, EPOCH if zoned else EPOCH.replace(tzinfo=None)
    what = f"a datetime {'with' if zoned else 'without'} a time zone"

    def write(value: Any) -> int:
        if not isinstance(value, datetime) or (value.utcoffset() is not None) != zoned:
            raise unfit(what, value)
        return _ticks(value - epoch, microseconds, value)

    return Scalar(datetime, lambda count: epoch + count * unit, write)


def _ticks(since: timedelta, microseconds: int, value: Any) -> int:
    ticks, rest = divmod(since // MICROSECOND, microseconds)
    if rest:
        raise UnfitError(f"has more digits than its unit of {microseconds} µs holds: {value}")
    return ticks


PLAIN: Mapping[str, Scalar] = {
    "null": Scalar(type(None), None, PRIMITIVES["null"].take),
    "boolean": Scalar(bool, PRIMITIVES["boolean"].show, PRIMITIVES["boolean"].take),
    "int": Scalar(int, integer(32), integer(32)),
    "long": Scalar(int, None, integer(64)),
    "float": Scalar(float, None, partial(_write_float, single=True)),
    "double": Scalar(float, None, partial(_write_float, single=False)),
    "string": Scalar(str, None, PRIMITIVES["string"].take),
    "bytes": _binary(None),
}
UUIDS = Scalar(UUID, parse_uuid, _write_uuid)
FIXED_UUIDS = Scalar(
    UUID, lambda data: UUID(bytes=data), lambda value: UUID(_write_uuid(value)).bytes
)
