"""Reading without logical types and putting them on afterwards gives what fastavro gives by itself."""

import io
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.logical import separate

Kind = tuple[Any, st.SearchStrategy[Any]]
"""A type, and values of it."""

UUIDS: Kind = ({"type": "string", "logicalType": "uuid"}, st.uuids())
INSTANTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - zoned by timezones
PLAIN: list[Kind] = [
    ("string", st.text()),
    ("long", st.integers(-(2**63), 2**63 - 1)),
    ("boolean", st.booleans()),
    ({"type": "bytes"}, st.binary()),
    ({"type": "int", "logicalType": "date"}, st.dates()),
    ({"type": "long", "logicalType": "time-micros"}, st.times()),
]
LOGICAL: list[Kind] = [
    UUIDS,
    (
        {"type": "bytes", "logicalType": "decimal", "precision": 19, "scale": 4},
        st.decimals(-(10**14), 10**14, places=4),
    ),
    (
        {"type": "bytes", "logicalType": "decimal", "precision": 40},
        st.integers(-(10**39), 10**39).map(Decimal),
    ),
    ({"type": "long", "logicalType": "timestamp-micros"}, INSTANTS),
    (
        {"type": "long", "logicalType": "timestamp-millis"},
        INSTANTS.map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)),
    ),
]


def array(of: Kind) -> Kind:
    return {"type": "array", "items": of[0]}, st.lists(of[1], max_size=3)


def mapping(of: Kind) -> Kind:
    return {"type": "map", "values": of[0]}, st.dictionaries(st.text(), of[1], max_size=3)


def nullable(of: Kind) -> Kind:
    return ["null", of[0]], st.none() | of[1]


@st.composite
def kinds(draw: st.DrawFn, numbers: "count[int]", depth: int = 2) -> Kind:
    """Return a type; records in it have names of their own."""
    simple = st.sampled_from(PLAIN + LOGICAL)
    if depth == 0:
        return draw(simple)
    inner = kinds(numbers, depth - 1)
    wrap: Callable[[Kind], Kind] | None = draw(
        st.sampled_from([None, None, array, mapping, nullable, record])
    )
    if wrap is None:
        return draw(simple)
    if wrap is record:
        return record(*draw(st.lists(inner, min_size=1, max_size=3)), number=next(numbers))
    of = draw(inner)
    return draw(simple) if wrap is nullable and isinstance(of[0], list) else wrap(of)


def record(*fields: Kind, number: int = 0) -> Kind:
    """Return a record with these fields."""
    schema = {
        "type": "record",
        "name": f"test.R{number}",
        "fields": [{"name": f"f{i}", "type": kind} for i, (kind, _) in enumerate(fields)],
    }
    values: Mapping[Any, st.SearchStrategy[Any]] = {f"f{i}": v for i, (_, v) in enumerate(fields)}
    return schema, st.fixed_dictionaries(dict(values))


@st.composite
def examples(draw: st.DrawFn) -> tuple[Any, Any]:
    """Return a record's schema and a datum of it."""
    numbers = count(1)
    schema, values = record(*draw(st.lists(kinds(numbers), min_size=1, max_size=4)))
    return schema, draw(values)


def both_ways(document: Any, datum: Any) -> tuple[Any, Any]:
    schema = fastavro.parse_schema(document)
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, datum)
    plain, finish = separate(schema)
    buffer.seek(0)
    read = fastavro.schemaless_reader(buffer, plain, None)
    buffer.seek(0)
    return finish(read) if finish else read, fastavro.schemaless_reader(buffer, schema, None)


@given(examples())
def test_a_datum_is_the_one_that_fastavro_reads(example: tuple[Any, Any]) -> None:
    ours, theirs = both_ways(*example)
    assert ours == theirs
    assert repr(ours) == repr(theirs)  # 1.50 and 1.5 are equal, and not the same


def test_logical_types_are_taken_out_wherever_they_stand() -> None:
    document = record(UUIDS, array(UUIDS), mapping(UUIDS), nullable(UUIDS), record(UUIDS, number=1))
    plain, finish = separate(fastavro.parse_schema(document[0]))
    assert finish is not None
    assert "logicalType" not in repr(plain)


AMOUNT = {
    "type": "fixed",
    "name": "test.Amount",
    "size": 8,
    "logicalType": "decimal",
    "precision": 18,
    "scale": 2,
}


def test_a_type_that_is_named_again_is_the_same_type() -> None:
    document = {
        "type": "record",
        "name": "test.Order",
        "fields": [
            {"name": "total", "type": AMOUNT},
            {"name": "tax", "type": "test.Amount"},
            {"name": "line", "type": record(UUIDS, number=1)[0]},
            {"name": "other", "type": ["null", "test.R1"]},
        ],
    }
    datum = {
        "total": Decimal("12.50"),
        "tax": Decimal("-0.01"),
        "line": {"f0": UUID(int=1)},
        "other": {"f0": UUID(int=2)},
    }
    ours, theirs = both_ways(document, datum)
    assert ours == theirs == datum
    assert separate(fastavro.parse_schema(document))[1] is not None


TREE = {
    "type": "record",
    "name": "test.Tree",
    "fields": [
        {"name": "id", "type": UUIDS[0]},
        {"name": "children", "type": {"type": "array", "items": "test.Tree"}},
    ],
}


@pytest.mark.parametrize(
    ("document", "datum"),
    [
        (record((["null", UUIDS[0], "long"], st.none()))[0], {"f0": UUID(int=3)}),
        (TREE, {"id": UUID(int=1), "children": [{"id": UUID(int=2), "children": []}]}),
        (record(("string", st.text()))[0], {"f0": "no logical type at all"}),
        (
            record(*PLAIN[4:])[0],
            {"f0": date(2026, 11, 25), "f1": time(14, 30, 0, 1)},
        ),
    ],
    ids=["a union of several types", "a record within itself", "nothing to do", "rare types"],
)
def test_what_cannot_be_separated_is_left_to_fastavro(document: Any, datum: Any) -> None:
    schema = fastavro.parse_schema(document)
    assert separate(schema) == (schema, None)
    ours, theirs = both_ways(document, datum)
    assert ours == theirs == datum
