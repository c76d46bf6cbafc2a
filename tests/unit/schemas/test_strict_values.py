"""Only what fits its type is written, only what a type can hold is read; nothing is rounded, cut or guessed."""

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from schemas.datum import DatumReader, DatumWriter, UndecodableError
from schemas.gate.avro.parse import record


def logical(base: Any, name: str, **more: Any) -> dict[str, Any]:
    return {"type": base, "logicalType": name, **more}


MICROS = logical("long", "timestamp-micros")
MILLIS = logical("long", "timestamp-millis")
LOCAL = logical("long", "local-timestamp-micros")
DATE = logical("int", "date")
TIME_MILLIS = logical("int", "time-millis")
TIME_MICROS = logical("long", "time-micros")
ID = logical("string", "uuid")
MONEY = logical("bytes", "decimal", precision=5, scale=2)
FIXED_MONEY = {"type": "fixed", "name": "M", "size": 3, **logical("fixed", "decimal", precision=5)}
FIXED = {"type": "fixed", "name": "F", "size": 2}
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
POINT = {"type": "record", "name": "P", "fields": [{"name": "x", "type": "int"}]}
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - that is the point
AWARE = datetime(2026, 1, 1, tzinfo=UTC)


def of(type_: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "f", "type": type_} | more]}


def there_and_back(type_: Any, value: Any) -> Any:
    schema = record(of(type_))
    return DatumReader(schema).read(DatumWriter(schema).write({"f": value}))["f"]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (MICROS, NAIVE),
        (MICROS, date(2026, 1, 1)),
        (MICROS, 0),
        (MILLIS, AWARE.replace(microsecond=1)),
        (LOCAL, AWARE),
        (DATE, AWARE),
        (DATE, 1),
        (TIME_MILLIS, time(1, 2, 3, 4)),
        (TIME_MICROS, time(1, tzinfo=UTC)),
        (ID, "no uuid"),
        (ID, "{00000000-0000-0000-0000-000000000007}"),
        (ID, 7),
        (MONEY, Decimal("1000.00")),
        (MONEY, Decimal("0.001")),
        (MONEY, Decimal("NaN")),
        (MONEY, Decimal("sNaN")),
        (MONEY, Decimal("-Infinity")),
        (MONEY, Decimal("1E+999999")),
        (MONEY, Decimal("1E-999999")),
        (MONEY, 1.5),
        (FIXED_MONEY, Decimal(100_000)),
        (FIXED_MONEY, Decimal("0.5")),
        ("int", 2**31),
        ("int", -(2**31) - 1),
        ("int", True),
        ("int", 1.0),
        ("long", 2**63),
        ("long", False),
        ("boolean", 1),
        ("null", 0),
        ("float", 0.1),
        ("float", 1e300),
        ("float", 2**24 + 1),
        ("double", 2**53 + 1),
        ("double", Decimal("0.5")),
        ("double", True),
        ("string", "\ud800"),
        ("string", b"text"),
        ("bytes", "text"),
        (FIXED, b"x"),
        (ENUM, "C"),
        (ENUM, 0),
        ({"type": "map", "values": "int"}, {1: 1}),
        ({"type": "array", "items": "int"}, "12"),
        (POINT, {"x": 1, "y": 2}),
        (POINT, {}),
        (["null", "int"], "1"),
        (["string", "int"], 1.5),
        ([], None),
    ],
)
def test_what_does_not_fit_is_not_written(type_: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^f"):
        there_and_back(type_, value)


@pytest.mark.parametrize(
    ("wrap", "place"),
    [
        (lambda value: {"f": [value]}, "f.0"),
        (lambda value: {"f": {"key": value}}, "f.key"),
        (lambda value: {"f": {"inner": [{"key": value}]}}, "f.inner.0.key"),
    ],
)
def test_the_place_is_told_however_deep_it_is(wrap: Any, place: str) -> None:
    optional = ["null", MICROS]
    inner = {"type": "array", "items": {"type": "map", "values": optional}}
    deep = {"type": "record", "name": "D", "fields": [{"name": "inner", "type": inner}]}
    types = {
        "f.0": {"type": "array", "items": optional},
        "f.key": {"type": "map", "values": optional},
        "f.inner.0.key": deep,
    }
    writer = DatumWriter(record(of(types[place])))
    assert writer.write(wrap(AWARE))
    with pytest.raises(ValueError, match=f"^{place} should be a datetime with a time zone"):
        writer.write(wrap(NAIVE))


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (MICROS, datetime(1, 1, 1, tzinfo=UTC)),
        (MICROS, datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        (MILLIS, AWARE.astimezone(timezone(timedelta(hours=14)))),
        (LOCAL, NAIVE),
        (DATE, date(1, 1, 1)),
        (TIME_MILLIS, time(23, 59, 59, 999_000)),
        (TIME_MICROS, time(23, 59, 59, 999_999)),
        (ID, UUID(int=7)),
        (MONEY, Decimal("-999.99")),
        (MONEY, Decimal(0)),
        (MONEY, Decimal("1.50000000000000000000000000000000000000")),
        (FIXED_MONEY, Decimal(-99_999)),
        ("int", -(2**31)),
        ("long", 2**63 - 1),
        ("float", 0.5),
        ("float", math.inf),
        ("double", 0.1),
        ("double", 7),
        ("string", "\U0001f469\u200d\U0001f680"),
        ({"type": "map", "values": ["null", "int"]}, {"a": None, "": 1}),
        (["null", "bytes", "string"], "text"),
        (["null", "double", "long"], 2**53 + 1),
        ([DATE, MICROS], AWARE),
    ],
)
def test_what_fits_comes_back(type_: Any, value: Any) -> None:
    read = there_and_back(type_, value)
    assert read == value
    assert isinstance(read, type(value)) or (type_, value) == ("double", 7)


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        (MONEY, "060186a0"),  # 1000.00, six digits
        (MONEY, "0603e8ff"),
        (MONEY, "00"),
        (FIXED_MONEY, "7fffff"),
        (MICROS, "ffffffffffffffffff01"),  # the first microsecond that a long can hold
        (DATE, "feffffff0f"),
        (TIME_MILLIS, "01"),
        (TIME_MILLIS, "80f0b252"),  # 24 h
        (ID, "0874657874"),
        ("int", "8080808010"),  # 2^31
        ("boolean", "02"),
        ("string", "04fffe"),
        (ENUM, "01"),  # -1
        (ENUM, "04"),
        ({"type": "map", "values": "int"}, "0402610202610400"),  # the key a twice
        (["null", "int"], "0402"),
    ],
)
def test_what_a_type_cannot_hold_is_not_read(type_: Any, data: str) -> None:
    with pytest.raises(UndecodableError):
        DatumReader(record(of(type_))).read(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("reader", "writer", "fits", "beyond"),
    [
        ("double", "long", 2**53, 2**53 + 1),
        ("float", "int", 2**24, 2**24 + 1),
        ("string", "bytes", b"text", b"\xff"),
        (MILLIS, MICROS, AWARE, AWARE.replace(microsecond=1)),
        (MONEY, MONEY | {"precision": 9}, Decimal("1.00"), Decimal("1000.00")),
        (MONEY, MONEY | {"scale": 3}, Decimal("1.230"), Decimal("1.234")),
    ],
)
def test_what_the_reader_has_no_room_for_is_not_read(
    reader: Any, writer: Any, fits: Any, beyond: Any
) -> None:
    written, read = record(of(writer)), record(of(reader))
    reads, writes = DatumReader(written, read), DatumWriter(written)
    assert reads.read(writes.write({"f": fits}))["f"] in {fits, "text"}
    with pytest.raises(UndecodableError):
        reads.read(writes.write({"f": beyond}))


@pytest.mark.parametrize(
    ("type_", "default", "value"),
    [
        (MONEY, "\u0001", Decimal("0.01")),
        (FIXED_MONEY, "\u0000\u0000\u00ff", Decimal(255)),
        (MICROS, 0, datetime(1970, 1, 1, tzinfo=UTC)),
        (LOCAL, 1, datetime(1970, 1, 1, 0, 0, 0, 1)),  # noqa: DTZ001 - it has no zone
        (DATE, -1, date(1969, 12, 31)),
        (TIME_MILLIS, 1, time(0, 0, 0, 1000)),
        (ID, str(UUID(int=7)), UUID(int=7)),
        ("bytes", "\u00ff", b"\xff"),
        ("double", 1, 1.0),
        (ENUM, "B", "B"),
        ([MONEY, "null"], None, None),
        (["null", MONEY], "\u0001", Decimal("0.01")),
        ({"type": "array", "items": MICROS}, [0], [datetime(1970, 1, 1, tzinfo=UTC)]),
        ({"type": "map", "values": MONEY}, {"a": "\u0001"}, {"a": Decimal("0.01")}),
        (
            {"type": "record", "name": "D", "fields": [{"name": "d", "type": DATE, "default": 1}]},
            {},
            {"d": date(1970, 1, 2)},
        ),
    ],
)
def test_a_default_is_read_as_its_type(type_: Any, default: Any, value: Any) -> None:
    reader = DatumReader(record(of("int") | {"fields": []}), record(of(type_, default=default)))
    read, other = reader.read(b"")["f"], reader.read(b"")["f"]
    assert (type(read), read) == (type(value), value)
    assert read is not other or not isinstance(read, list | dict)


NODE = of(["null", "R"])


def chain(length: int) -> Any:
    datum: Any = None
    for _ in range(length):
        datum = {"f": datum}
    return datum


def test_records_within_themselves_end_before_the_stack_does() -> None:
    schema = record(NODE)
    reader, writer = DatumReader(schema), DatumWriter(schema)
    assert reader.read(writer.write(chain(100))) == chain(100)
    for length in (150, 900):
        with pytest.raises(ValueError, match="R"):
            writer.write(chain(length))
    with pytest.raises(UndecodableError):
        reader.read(b"\x02" * 900_000 + b"\x00")
