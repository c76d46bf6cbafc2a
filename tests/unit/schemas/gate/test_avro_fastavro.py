"""Where fastavro departs from the specification: the property tests keep away from here, the decision page lists it."""

import io
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from schemas.gate.avro import check
from schemas.gate.avro_parse import parse


def record(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [*fields]} | more


def decimal(scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": scale}


def field(name: str, type_: Any = "int", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_} | more


def resolved(reader: Any, writer: Any, datum: Any) -> Any:
    writes = fastavro.parse_schema(writer)
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, writes, datum)
    buffer.seek(0)
    return fastavro.schemaless_reader(buffer, writes, fastavro.parse_schema(reader))


@pytest.mark.parametrize(
    ("reader", "writer", "datum"),
    [
        ("string", "bytes", b"\xff"),
        (
            [record(field("more"), namespace="a"), record(field("x"), namespace="b")],
            record(field("x"), namespace="c"),
            {"x": 1},
        ),
    ],
)
def test_raises_on_what_resolves(reader: Any, writer: Any, datum: Any) -> None:
    assert check(parse(reader), parse(writer)) == []
    with pytest.raises(Exception, match=r"."):
        resolved(reader, writer, datum)


@pytest.mark.parametrize(
    ("reader", "writer", "datum", "read"),
    [
        (decimal(4), decimal(2), Decimal("12.34"), Decimal("12.34")),
        (record(field("x", [])), record(field("x")), {"x": 1}, {"x": 1}),
        (
            record(field("b", aliases=["a"])),
            record(field("a"), field("b")),
            {"a": 1, "b": 2},
            {"b": 1},
        ),
        (
            record(name="New", namespace="here", aliases=["R"]),
            record(namespace="there"),
            {},
            {},
        ),
    ],
)
def test_reads_what_does_not_resolve(reader: Any, writer: Any, datum: Any, read: Any) -> None:
    assert check(parse(reader), parse(writer)) != []
    assert resolved(reader, writer, datum) == read


def test_the_default_of_bytes_stays_a_string() -> None:
    assert resolved(record(field("x", "bytes", default="\u00ff")), record(), {}) == {"x": "\u00ff"}
