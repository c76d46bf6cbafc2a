"""Changes of an Avro schema from trivial to nasty, to be judged by whoever judges compatibility."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

BOTH = frozenset({"BACKWARD", "FORWARD"})
BACKWARD, FORWARD = frozenset({"BACKWARD"}), frozenset({"FORWARD"})


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """A change: what it is, the published version and the one to be judged."""

    name: str
    old: Schema
    new: Schema


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the gate refuses on purpose what a registry lets pass: in which modes, and why."""

    modes: frozenset[str]
    reason: str


def _record(*fields: Any, **members: Any) -> Schema:
    return {"type": "record", "name": "Order", "namespace": "shop", **members} | {
        "fields": [_field("id", "string"), *fields]
    }


def _field(name: str, kind: Any, **members: Any) -> Schema:
    return {"name": name, "type": kind, **members}


def _of(kind: Any, **members: Any) -> Schema:
    return _record(_field("value", kind, **members))


def _enum(*symbols: str, **members: Any) -> Schema:
    return {"type": "enum", "name": "State", "symbols": list(symbols), **members}


def _logical(kind: str, logical: str, **members: Any) -> Schema:
    return {"type": kind, "logicalType": logical, **members}


def _decimal(precision: int, scale: int) -> Schema:
    return _logical("bytes", "decimal", precision=precision, scale=scale)


def _line(*fields: Schema, **members: Any) -> Schema:
    return {
        "type": "record",
        "name": "Line",
        "fields": [_field("sku", "string"), *fields],
    } | members


def _changes() -> Iterator[tuple[str, Schema, Schema]]:
    plain, amount = _record(), _field("amount", "int")
    yield "nothing", _record(amount), _record(amount)
    yield "documentation", plain, _record(doc="An order.")
    yield "field added with a default", plain, _record(_field("note", "string", default=""))
    yield "field added without a default", plain, _record(amount)
    yield "optional field added", plain, _record(_field("note", ["null", "string"], default=None))
    yield "field with a default removed", _record(_field("note", "string", default="")), plain
    yield "field without a default removed", _record(amount), plain
    yield "field renamed", _record(amount), _record(_field("total", "int"))
    yield (
        "field renamed with an alias",
        _record(amount),
        _record(_field("total", "int", aliases=["amount"])),
    )
    yield (
        "fields reordered",
        _record(amount, _field("note", "string")),
        _record(_field("note", "string"), amount),
    )
    yield "default changed", _of("int", default=1), _of("int", default=2)
    yield "int to long", _of("int"), _of("long")
    yield "long to int", _of("long"), _of("int")
    yield "long to float", _of("long"), _of("float")
    yield "string to bytes", _of("string"), _of("bytes")
    yield "string to int", _of("string"), _of("int")
    yield "enum symbol added", _of(_enum("A")), _of(_enum("A", "B"))
    yield "enum symbol removed", _of(_enum("A", "B")), _of(_enum("A"))
    yield (
        "enum symbol added, with a default",
        _of(_enum("A", default="A")),
        _of(_enum("A", "B", default="A")),
    )
    yield "enum symbols reordered", _of(_enum("A", "B")), _of(_enum("B", "A"))
    yield "enum renamed", _of(_enum("A")), _of(_enum("A", name="Status"))
    yield "type made optional", _of("string"), _of(["null", "string"])
    yield "union widened", _of(["null", "string"]), _of(["null", "string", "int"])
    yield "union reordered", _of(["null", "string"]), _of(["string", "null"])
    yield "branch of a union promoted", _of(["null", "int"]), _of(["null", "long"])
    yield "nested field added without a default", _of(_line()), _of(_line(amount))
    yield "nested record renamed", _of(_line()), _of(_line(name="Item"))
    yield (
        "nested record renamed with an alias",
        _of(_line()),
        _of(_line(name="Item", aliases=["Line"])),
    )
    yield "nested record moved to another namespace", _of(_line()), _of(_line(namespace="stock"))
    yield (
        "record in an array given a field",
        _of({"type": "array", "items": _line()}),
        _of({"type": "array", "items": _line(amount)}),
    )
    yield (
        "items of an array promoted",
        _of({"type": "array", "items": "int"}),
        _of({"type": "array", "items": "long"}),
    )
    yield (
        "values of a map changed",
        _of({"type": "map", "values": "string"}),
        _of({"type": "map", "values": "boolean"}),
    )
    yield (
        "size of a fixed changed",
        _of({"type": "fixed", "name": "Hash", "size": 16}),
        _of({"type": "fixed", "name": "Hash", "size": 32}),
    )
    yield "record become a map", _of(_line()), _of({"type": "map", "values": "string"})
    yield "annotation of a uuid dropped", _of(_logical("string", "uuid")), _of("string")
    yield "scale of a decimal", _of(_decimal(10, 2)), _of(_decimal(10, 4))
    yield "precision of a decimal raised", _of(_decimal(10, 2)), _of(_decimal(12, 2))
    yield (
        "time unit",
        _of(_logical("long", "timestamp-micros")),
        _of(_logical("long", "timestamp-millis")),
    )
    yield (
        "annotation of a timestamp dropped",
        _of(_logical("long", "timestamp-micros")),
        _of("long"),
    )
    yield (
        "instant to local time",
        _of(_logical("long", "timestamp-micros")),
        _of(_logical("long", "local-timestamp-micros")),
    )
    yield (
        "aliases that cross",
        _record(amount, _field("net", "int")),
        _record(_field("amount", "int", aliases=["net"]), _field("net", "int", aliases=["amount"])),
    )


CHANGES = tuple(SchemaChange(*each) for each in _changes())

DIFFERENCES = {
    "annotation of a uuid dropped": Difference(
        FORWARD, "a consumer of the old schema would be handed strings that are no UUIDs"
    ),
    "scale of a decimal": Difference(BOTH, "12.34 would be read as 0.1234"),
    "precision of a decimal raised": Difference(
        FORWARD, "a consumer of the old schema has no room for the longer numbers"
    ),
    "time unit": Difference(BOTH, "instants would be read a thousandfold off"),
    "annotation of a timestamp dropped": Difference(
        BOTH, "a number would be read for an instant, or an instant for a number"
    ),
    "instant to local time": Difference(BOTH, "the same number means another moment"),
    "aliases that cross": Difference(
        FORWARD,
        "decoders disagree on which field gets which value; BACKWARD the registry refuses as well",
    ),
    "long to float": Difference(BACKWARD, "numbers beyond 24 bits would be read rounded"),
    "string to bytes": Difference(
        FORWARD, "a consumer of the old schema would be handed bytes that are no text"
    ),
}
"""By the names of the changes. `docs/decisions/0008-avro-contested-cases.md` has them at length."""
