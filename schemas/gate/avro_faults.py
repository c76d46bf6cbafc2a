"""What is wrong with an Avro schema by itself: defaults that do not fit, aliases that clash, annotations in vain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from schemas.gate.avro_model import (
    NO_DEFAULT,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Place,
    Primitive,
    Record,
    Type,
    Union,
    children,
)
from schemas.gate.finding import Finding

INTEGERS = {"int": 2**31, "long": 2**63}


def faults(subject: str, schema: Type) -> list[Finding]:
    """Return what is wrong with a schema whatever it is compared with."""
    found = [*_walk(schema, Place(), set())]
    return [
        Finding(subject=subject, path=str(place), rule=rule, problem=problem, fix=fix)
        for place, rule, problem, fix in found
    ]


Fault = tuple[Place, str, str, str]


def _walk(schema: Type, place: Place, met: set[int]) -> Iterator[Fault]:
    if id(schema) in met:
        return
    met.add(id(schema))
    if isinstance(schema, Primitive | Fixed) and schema.ignored:
        yield _ignored(schema, place)
    if isinstance(schema, Record):
        for index, field in enumerate(schema.fields):
            yield from _field(field, schema, place.field(index, field.name))
    for child, inner in children(schema, place):
        yield from _walk(child, inner, met)


def _ignored(schema: Primitive | Fixed, place: Place) -> Fault:
    base = schema.kind if isinstance(schema, Primitive) else f"fixed of {schema.size} bytes"
    return (
        place.at("logicalType"),
        "logical-type-ignored",
        f"{schema.ignored} is not valid on {base} as it stands here; every reader ignores it and sees the bare value",
        "Correct its base type, precision or scale, or take it away",
    )


def _field(field: Field, record: Record, place: Place) -> Iterator[Fault]:
    if field.default is not NO_DEFAULT and not is_default_of(field.type, field.default):
        yield (
            place.at("default"),
            "default-invalid",
            f"the default {json.dumps(field.default)} is not a value of {field.type}; a consumer that needs it fails",
            "Give a default that the type allows, or allow the default's type",
        )
    for alias in field.aliases:
        if alias != field.name and record.field(alias) is not None:
            yield (
                place.at("aliases"),
                "alias-not-unique",
                f"the alias {alias} is also the name of another field; decoders disagree on which one is read",
                f"Take the alias {alias} away",
            )


def is_default_of(schema: Type, default: Any) -> bool:
    """Whether a JSON value may be the default of a type; that of a union may be of any of its branches."""
    match schema:
        case Union():
            return any(is_default_of(branch, default) for branch in schema.branches)
        case Array() | Map() | Record():
            return _is_composite(schema, default)
        case Enum():
            return default in schema.symbols
        case Fixed():
            return _is_binary(default) and len(default) == schema.size
        case _:
            return _is_primitive(schema.kind, default)


def _is_composite(schema: Array | Map | Record, default: Any) -> bool:
    match schema, default:
        case Array(), list():
            return all(is_default_of(schema.items, item) for item in default)
        case Map(), dict():
            return all(is_default_of(schema.values, value) for value in default.values())
        case Record(), dict():
            return all(_is_filled(field, default) for field in schema.fields)
    return False


def _is_filled(field: Field, default: dict[str, Any]) -> bool:
    if field.name in default:
        return is_default_of(field.type, default[field.name])
    return field.default is not NO_DEFAULT


def _is_primitive(kind: str, default: Any) -> bool:
    match kind:
        case "null":
            return default is None
        case "boolean":
            return isinstance(default, bool)
        case "int" | "long":
            bound = INTEGERS[kind]
            return type(default) is int and -bound <= default < bound
        case "float" | "double":
            return type(default) in {int, float}
        case "bytes":
            return _is_binary(default)
        case _:
            return isinstance(default, str)


def _is_binary(default: Any) -> bool:
    """Bytes stand in a schema as a string whose characters are their values."""
    return isinstance(default, str) and all(ord(char) < 256 for char in default)
