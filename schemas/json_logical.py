"""The JSON of Avro's logical types: decimals, UUIDs, dates and times."""

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from schemas.gate.avro.model import Enum, Fixed, Primitive
from schemas.json_scalars import Scalar, Show, UnfitError, integer, plain, same, unfit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_ONE = EPOCH.date().toordinal()
SECONDS_OF_A_DAY = 24 * 60 * 60

INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
CLOCK = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", re.ASCII)
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

UNITS = {"millis": 3, "micros": 6, "nanos": 9}
"""Unit of a time -> decimal places of its seconds."""


def scalar_of(schema: Primitive | Enum | Fixed) -> Scalar:
    """Return how values of a type are written; a logical type that is not known here counts for nothing."""
    logical = None if isinstance(schema, Enum) else schema.logical
    if logical is None:
        return plain(schema)
    size = schema.size if isinstance(schema, Fixed) else None
    name, _, unit = logical.name.rpartition("-")
    if logical.name == "decimal":
        return _decimal(logical.precision, logical.scale, size)
    if logical.name == "uuid":
        return _uuid(fixed=size is not None)
    if logical.name == "date":
        return Scalar(_show_date, _take_date)
    if unit not in UNITS:
        return plain(schema)
    return (
        _clock(UNITS[unit]) if name == "time" else _instant(UNITS[unit], zoned=name == "timestamp")
    )


def _decimal(precision: int, scale: int, size: int | None) -> Scalar:
    what = f"a decimal of at most {precision} digits, {scale} of them after the point"

    def show(value: bytes) -> str:
        if not value:
            raise ValueError("no bytes are no decimal")
        unscaled = int.from_bytes(value, "big", signed=True)
        digits = tuple(map(int, str(abs(unscaled))))
        return format(Decimal((int(unscaled < 0), digits, -scale)), "f")

    def take(value: Any) -> bytes:
        number = _number(value)
        if number is None or not number.is_finite():
            raise unfit(what, value)
        # asked before the digits are written out: an exponent may be any number
        if number and (number.adjusted() + 1 > precision - scale or -number.adjusted() > scale):
            raise unfit(what, value)
        sign, digits, exponent = number.as_tuple()
        try:
            unscaled, rest = _shifted(int("".join(map(str, digits))), int(exponent) + scale)
        except ValueError:  # more digits than Python reads
            raise unfit(what, value) from None
        if rest or len(str(unscaled)) > precision:
            raise unfit(what, value)
        unscaled = -unscaled if sign else unscaled
        # as many bytes as the encoder of the messages takes, so that what was not touched stays the same
        length = size or unscaled.bit_length() // 8 + 1
        return unscaled.to_bytes(length, "big", signed=True)

    return Scalar(show, take)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        return Decimal(value)
    except ArithmeticError:
        return None


def _shifted(number: int, places: int) -> tuple[int, int]:
    if not number:
        return 0, 0
    return (number * 10**places, 0) if places >= 0 else divmod(number, 10**-places)


def _uuid(*, fixed: bool) -> Scalar:
    def take(value: Any) -> Any:
        if not isinstance(value, str) or not UUID_TEXT.fullmatch(value):
            raise unfit("a UUID", value)
        return UUID(value).bytes if fixed else value

    return Scalar((lambda value: str(UUID(bytes=value))) if fixed else same, take)


def _show_date(days: int) -> str | int:
    ordinal = DAY_ONE + integer(32)(days)
    try:
        return date.fromordinal(ordinal).isoformat()
    except (ValueError, OverflowError):
        return days


def _take_date(value: Any) -> int:
    if _is_beyond(value, _show_date):
        return integer(32)(value)
    try:
        return date.fromisoformat(value).toordinal() - DAY_ONE
    except (TypeError, ValueError):
        raise unfit("a date such as 2026-01-31", value) from None


def _instant(places: int, *, zoned: bool) -> Scalar:
    what = "a time such as 2026-01-31T12:30:00" + (
        "Z, with its offset from UTC" if zoned else ", without an offset"
    )

    def show(ticks: int) -> str | int:
        seconds, fraction = divmod(ticks, 10**places)
        try:
            moment = EPOCH + timedelta(seconds=seconds)
        except OverflowError:
            return ticks
        text = moment.replace(tzinfo=None).isoformat() + _fraction(fraction, places)
        return f"{text}+00:00" if zoned else text

    def take(value: Any) -> int:
        if _is_beyond(value, show):
            return integer(64)(value)
        match = INSTANT.fullmatch(value) if isinstance(value, str) else None
        if match is None or (match[3] is not None) != zoned:
            raise unfit(what, value)
        try:
            moment = datetime.fromisoformat(f"{match[1]}{match[3] or 'Z'}")
        except ValueError:
            raise unfit(what, value) from None
        since = moment - EPOCH
        seconds = since.days * SECONDS_OF_A_DAY + since.seconds
        # nanoseconds run out of bits long before the year 9999
        return integer(64)(seconds * 10**places + _ticks(match[2], places))

    return Scalar(show, take)


def _clock(places: int) -> Scalar:
    what = "a time of day such as 12:30:00"
    take_number = integer(32 if places == UNITS["millis"] else 64)
    per_second: int = 10**places

    def show(ticks: int) -> str | int:
        seconds, fraction = divmod(take_number(ticks), per_second)
        if not 0 <= seconds < SECONDS_OF_A_DAY:
            return ticks
        return (EPOCH + timedelta(seconds=seconds)).time().isoformat() + _fraction(fraction, places)

    def take(value: Any) -> int:
        if _is_beyond(value, show):
            return take_number(value)
        match = CLOCK.fullmatch(value) if isinstance(value, str) else None
        try:
            clock = time.fromisoformat(match[1]) if match else None
        except ValueError:
            clock = None
        if match is None or clock is None:
            raise unfit(what, value)
        seconds = (clock.hour * 60 + clock.minute) * 60 + clock.second
        return seconds * per_second + _ticks(match[2], places)

    return Scalar(show, take)


def _is_beyond(value: Any, show: Show) -> bool:
    """Tell whether a number stands for a time that the calendar has no words for, and which is shown as it is."""
    return type(value) is int and isinstance(show(value), int)


def _fraction(ticks: int, places: int) -> str:
    return f".{ticks:0{places}}" if ticks else ""


def _ticks(digits: str | None, places: int) -> int:
    ticks = (digits or "").ljust(9, "0")
    if ticks[places:].strip("0"):
        raise UnfitError(f"should have at most {places} digits after the seconds, not .{digits}")
    return int(ticks[:places])
