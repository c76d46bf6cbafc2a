"""Random Avro schemas, random edits of them, and data that reach every corner of a schema."""

import copy
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from schemas.gate.avro.faults import faults
from schemas.gate.avro.model import (
    Array,
    Enum,
    Fixed,
    Map,
    Place,
    Primitive,
    Record,
    Type,
    Union,
    children,
    is_plural,
    type_name,
)
from schemas.gate.avro.parse import MalformedSchemaError, parse

PRIMITIVES = "null boolean int long float double bytes string".split()
RELATIVES = ("int long float double".split(), "bytes string".split())
EXAMPLES: dict[str, Any] = {
    "null": None,
    "boolean": True,
    "int": 2**31 - 1,
    "long": 2**53 + 1,
    "float": 0.5,
    "double": 0.1,
    "bytes": b"\xff\xfe",
    "string": "eight",
}
DEFAULTS = {"null": None, "boolean": False, "int": 0, "long": 0, "float": 0.1, "double": 0.1} | {
    "string": "none",
    "bytes": "\u00ff",
}
LOGICAL: list[Any] = [
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "int", "logicalType": "date"},
    {"type": "string", "logicalType": "uuid"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "time-micros"},
    {"type": "long", "logicalType": "local-timestamp-micros"},
    {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
    {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 4},
]
LOGICAL_EXAMPLES: dict[str, Any] = {
    "timestamp-micros": datetime(2026, 5, 4, 12, tzinfo=UTC),
    "timestamp-millis": datetime(2026, 5, 4, 12, tzinfo=UTC),
    "date": date(2026, 5, 4),
    "time-millis": time(12, 30, 0, 1000),
    "time-micros": time(12, 30, 0, 1),
    "timestamp-nanos": 7,
    "local-timestamp-millis": datetime(2026, 5, 4, 12),  # noqa: DTZ001 - that is what it is
    "local-timestamp-micros": datetime(2026, 5, 4, 12),  # noqa: DTZ001 - that is what it is
    "uuid": UUID(int=7),
    "decimal": Decimal(12),
}
LOGICAL_DEFAULTS: dict[str, Any] = {
    "uuid": "00000000-0000-0000-0000-000000000007",
    "decimal": "\u0001",
}
"""Where it is not a number, 0."""
Document = Any


@dataclass(frozen=True)
class World:
    """Makes schemas from one source of randomness, each named type under a name of its own."""

    dice: random.Random
    numbers: Iterator[int]
    named: list[Document] = field(default_factory=list)

    @classmethod
    def of(cls, dice: random.Random) -> "World":
        return cls(dice, itertools.count())

    def pair(self) -> tuple[Document, Document]:
        """Return a schema and an edited copy of it."""
        schema = self.schema()
        edited = copy.deepcopy(schema)
        for _ in range(self.dice.randint(1, 3)):
            edited = self._edited(edited)
        if self.dice.random() < 0.1:
            edited["namespace"] = "elsewhere"
        return referred(schema), referred(edited)

    def schema(self) -> Document:
        """Return a schema whose types are written out wherever they are used; `referred` makes it one of Avro."""
        return next(each for each in iter(lambda: self.record(depth=3), None) if is_valid(each))

    def type(self, depth: int) -> Document:
        if self.named and self.dice.random() < 0.2:
            return copy.deepcopy(self.dice.choice(self.named))
        made = self._new_type(depth)
        if isinstance(made, dict) and "name" in made:
            self.named.append(made)
        return made

    def _new_type(self, depth: int) -> Document:
        kinds = [self.primitive, self.enum, self.fixed]
        if depth > 0:
            kinds += [self.record, self.array, self.map, self.union]
        return self.dice.choice(kinds)(depth - 1)

    def primitive(self, depth: int) -> Document:
        if self.dice.random() < 0.1:
            return dict(self.dice.choice(LOGICAL))
        return self.dice.choice(PRIMITIVES)

    def enum(self, depth: int) -> Document:
        symbols = ["A", "B", "C"][: self.dice.randint(1, 3)]
        return {"type": "enum", "name": self._name("E"), "symbols": symbols}

    def fixed(self, depth: int) -> Document:
        return {"type": "fixed", "name": self._name("F"), "size": self.dice.randint(1, 2)}

    def array(self, depth: int) -> Document:
        return {"type": "array", "items": self.type(depth)}

    def map(self, depth: int) -> Document:
        return {"type": "map", "values": self.type(depth)}

    def union(self, depth: int) -> Document:
        branches = [self.type(depth) for _ in range(self.dice.randint(1, 3))]
        return _without_twins([branch for branch in branches if not isinstance(branch, list)])

    def record(self, depth: int) -> Document:
        name = self._name("R")
        fields = [self.field(depth) for _ in range(self.dice.randint(1, 3))]
        if depth > 0 and self.dice.random() < 0.3:
            fields.append({"name": "next", "type": ["null", name]})
        return {"type": "record", "name": name, "fields": fields}

    def field(self, depth: int) -> dict[str, Document]:
        made = {"name": self._name("f"), "type": self.type(depth)}
        if self.dice.random() < 0.5:
            for each in default(made["type"]):
                made["default"] = each
        return made

    def _name(self, kind: str) -> str:
        return f"{kind}{next(self.numbers)}"

    def _edited(self, schema: Document) -> Document:
        """Return the schema after one edit, or as it was when the edit breaks the rules of schemas."""
        root = {"type": copy.deepcopy(schema)}
        holder, key = self.dice.choice([*_slots(root, "type")])
        match holder[key]:
            case {"type": "record"} as record:
                self._edit_record(record)
            case {"type": "enum"} as enum:
                self._edit_enum(enum)
            case {"type": "fixed"} as fixed:
                self._edit_fixed(fixed)
            case list() as branches:
                self._edit_union(branches)
            case other:
                holder[key] = self._retyped(other)
        return root["type"] if is_valid(root["type"]) else schema

    def _edit_record(self, record: Document) -> None:
        fields = record["fields"]
        match self.dice.randint(0, 5):
            case 0:
                fields.insert(self.dice.randint(0, len(fields)), self.field(1))
            case 1 if fields:
                fields.remove(self.dice.choice(fields))
            case 2 if fields:
                self._rename(self.dice.choice(fields))
            case 3 if fields:
                field = self.dice.choice(fields)
                field["type"] = self._retyped(field["type"])
            case 4:
                self.dice.shuffle(fields)
            case _:
                self._rename(record)

    def _edit_enum(self, enum: Document) -> None:
        match self.dice.randint(0, 3):
            case 0:
                enum["symbols"].append("D")
            case 1 if len(enum["symbols"]) > 1:
                enum["symbols"].pop()
            case 2:
                enum["default"] = enum["symbols"][0]
            case _:
                self._rename(enum)

    def _edit_fixed(self, fixed: Document) -> None:
        if self.dice.random() < 0.5:
            self._rename(fixed)
        else:
            fixed["size"] += 1

    def _edit_union(self, branches: list[Document]) -> None:
        match self.dice.randint(0, 2):
            case 0:
                branches.append(self.type(1))
            case 1 if branches:
                branches.pop(self.dice.randrange(len(branches)))
            case _:
                self.dice.shuffle(branches)

    def _retyped(self, schema: Document) -> Document:
        for relatives in RELATIVES:
            if schema in relatives and self.dice.random() < 0.7:
                return self.dice.choice(relatives)
        match self.dice.randint(0, 2):
            case 0:
                return self.primitive(0)
            case 1:
                return _without_twins(["null", schema]) if not isinstance(schema, list) else schema
            case _:
                return self.type(1)

    def _rename(self, named: Document) -> None:
        if self.dice.random() < 0.5:
            named["aliases"] = [named["name"]]
        named["name"] = self._name("N")


def is_valid(schema: Document) -> bool:
    """Whether a schema is sound, and has data for each of its types: no endless recursion, no empty union."""
    try:
        parsed = parse(referred(schema))
    except MalformedSchemaError:
        return False
    return not faults("", parsed) and all(data(each) for each in _types(parsed, set()))


def default(schema: Document) -> list[Any]:  # noqa: PLR0911 - one return for each Avro type
    """Return a default that a type may have, if one is known."""
    match schema:
        case str():
            return [DEFAULTS[schema]] if schema in DEFAULTS else []
        case {"logicalType": str(logical)}:
            return [LOGICAL_DEFAULTS.get(logical, 0)]
        case {"type": "enum", "symbols": [*_, symbol]}:
            return [symbol]
        case {"type": "fixed", "size": int(size)}:
            return ["\u00ff" * size]
        case {"type": "array", "items": items}:
            return [[each] for each in default(items)] or [[]]
        case {"type": "map", "values": values}:
            return [{"key": each} for each in default(values)] or [{}]
        case {"type": "record", "fields": [*fields]}:
            found = {each["name"]: default(each["type"]) for each in fields}
            return [{name: each[0] for name, each in found.items()}] if all(found.values()) else []
        case [*branches]:
            return [each for branch in branches for each in default(branch)][:1]
    return []


def referred(schema: Document) -> Document:
    """Return a schema in which every type that was there before stands by its name alone."""
    return _referred(schema, {})


def _referred(schema: Document, met: dict[str, str]) -> Document:
    match schema:
        case [*branches]:
            return [_referred(each, met) for each in branches]
        case {"name": str(name)} if name in met:
            return met[name]
        case {"type": "array"}:
            return schema | {"items": _referred(schema["items"], met)}
        case {"type": "map"}:
            return schema | {"values": _referred(schema["values"], met)}
        case {"name": str(name)}:
            met[name] = name
            fields = [
                each | {"type": _referred(each["type"], met)} for each in schema.get("fields", [])
            ]
            return schema | ({"fields": fields} if "fields" in schema else {})
    return schema


def _types(schema: Type, met: set[int]) -> Iterator[Type]:
    if id(schema) not in met:
        met.add(id(schema))
        yield schema
        for child, _ in children(schema, Place()):
            yield from _types(child, met)


def _slots(holder: Document, key: Any) -> Iterator[tuple[Document, Any]]:
    """Yield every place of a schema that holds a type, as a container and a key."""
    yield holder, key
    match holder[key]:
        case {"type": "record", "fields": fields}:
            for field in fields:
                yield from _slots(field, "type")
        case {"type": "array"} as array:
            yield from _slots(array, "items")
        case {"type": "map"} as mapping:
            yield from _slots(mapping, "values")
        case list() as branches:
            for index in range(len(branches)):
                yield from _slots(branches, index)


def _without_twins(branches: list[Document]) -> list[Document]:
    """Drop branches that a union cannot have beside each other."""
    kinds = {
        str(each if isinstance(each, str) else each.get("name", each["type"])): each
        for each in branches
    }
    return [*kinds.values()]


def data(schema: Type, depth: int = 0) -> list[Any]:
    """Return data of a schema that meet every branch, every symbol and every field at least once.

    A value of a union of several types comes with the name of its type. Recursion ends after some rounds.
    """
    match schema:
        case Array():
            return [[], *([item] for item in data(schema.items, depth))]
        case Map():
            return [{}, *({"key": value} for value in data(schema.values, depth))]
        case Union():
            return [
                (type_name(branch), datum) if datum is not None and is_plural(schema) else datum
                for branch in schema.branches
                for datum in data(branch, depth)
            ]
        case Record():
            return _records(schema, depth + 1)
    return _scalars(schema)


def _scalars(schema: Primitive | Enum | Fixed) -> list[Any]:
    match schema:
        case Enum():
            return [*schema.symbols]
        case Fixed(logical=None):
            return [b"x" * schema.size]
        case Primitive(logical=None):
            return [EXAMPLES[schema.kind]]
    return [LOGICAL_EXAMPLES[str(schema.logical).partition("(")[0]]]


def _records(record: Record, depth: int) -> list[dict[str, Any]]:
    if depth > 5:
        return []
    values = {field.name: data(field.type, depth) for field in record.fields}
    if not all(values.values()):
        return []
    first = {name: choices[0] for name, choices in values.items()}
    return [
        first,
        *(first | {name: each} for name, choices in values.items() for each in choices[1:]),
    ]
