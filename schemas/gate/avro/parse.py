"""Reads Avro schema documents into the gate's model, by the rules of the Avro 1.12 specification."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeGuard

from schemas.gate.avro.logical import annotation
from schemas.gate.avro.model import (
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
    type_name,
)

PRIMITIVES = frozenset("null boolean int long float double bytes string".split())
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LONGEST = 60
"""Characters of a document that a message repeats."""
DEEPEST = 64
"""Most types within each other. Every program that reads a schema goes down into it, few as far as this."""


class MalformedSchemaError(ValueError):
    """The document is not an Avro schema."""

    def __init__(self, place: Place, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


def parse(document: Any) -> Type:
    """Return a schema from its JSON document.

    Args:
        document: The schema as `json.loads` returns it.

    Raises:
        MalformedSchemaError: the document breaks the specification.
    """
    return _Parser().parse(document, "", Place())


def record(document: Any) -> Record:
    """Return the schema of a message.

    Raises:
        MalformedSchemaError: the document is none, or one of something else than a record.
    """
    schema = parse(document)
    if not isinstance(schema, Record):
        raise MalformedSchemaError(Place(), f"a message is a record, and this is {schema}")
    return schema


class _Parser:
    """Remembers the named types that it has read."""

    def __init__(self) -> None:
        self._named: dict[str, Enum | Fixed | Record] = {}
        self._depth = 0

    def parse(self, document: Any, namespace: str, place: Place) -> Type:
        if self._depth > DEEPEST:
            problem = f"more than {DEEPEST} types stand within each other"
            raise MalformedSchemaError(Place(names=place.names), problem)
        self._depth += 1
        schema = self._parse(document, namespace, place)
        self._depth -= 1
        return schema

    def _parse(self, document: Any, namespace: str, place: Place) -> Type:
        match document:
            case str():
                return self._refer(document, namespace, place)
            case list():
                return self._union(document, namespace, place)
            case {"type": "record" | "error" | "enum" | "fixed"}:
                return self._define(document, namespace, place)
            case {"type": _}:
                return self._unnamed(document, namespace, place)
        raise MalformedSchemaError(place, f"{_told(document)} is not a type")

    def _unnamed(self, document: Mapping[str, Any], namespace: str, place: Place) -> Type:
        match document:
            case {"type": "array", "items": items}:
                return Array(self.parse(items, namespace, place.at("items")))
            case {"type": "map", "values": values}:
                return Map(self.parse(values, namespace, place.at("values")))
            case {"type": "array" | "map" as kind}:
                raise MalformedSchemaError(place, f"the {kind} does not say what it holds")
            case {"type": str(kind)} if kind in PRIMITIVES:
                return Primitive(kind, *annotation(document, kind))
        return self.parse(document["type"], namespace, place.at("type"))

    def _define(self, document: Mapping[str, Any], namespace: str, place: Place) -> Type:
        name = self._name(document, namespace, place)
        match document["type"]:
            case "enum":
                return self._enum(document, name, place)
            case "fixed":
                return self._fixed(document, name, place)
        return self._record(document, name, place)

    def _refer(self, name: str, namespace: str, place: Place) -> Type:
        if name in PRIMITIVES:
            return Primitive(name)
        found = self._named.get(qualify(name, namespace))
        if found is None:
            raise MalformedSchemaError(
                place, f"there is no type {name}, or it is defined further down"
            )
        return found

    def _union(self, documents: list[Any], namespace: str, place: Place) -> Union:
        branches = tuple(
            self.parse(each, namespace, place.at(index)) for index, each in enumerate(documents)
        )
        kinds = [type_name(branch) for branch in branches]
        for index, kind in enumerate(kinds):
            if kind == "union":
                raise MalformedSchemaError(place.at(index), "a union stands directly in a union")
            if kind in kinds[:index]:
                raise MalformedSchemaError(place.at(index), f"the union has {kind} twice")
        return Union(branches)

    def _record(self, document: Mapping[str, Any], name: str, place: Place) -> Record:
        fields, inner = document.get("fields"), namespace_of(name)
        if not isinstance(fields, list):
            raise MalformedSchemaError(place, f"the record {name} has no list of fields")
        aliases, doc = _aliases(document, inner, place), _doc(document, place)
        self._named[name] = record = Record(name=name, aliases=aliases, doc=doc)
        record.complete(self._field(each, inner, place, index) for index, each in enumerate(fields))
        _refuse_repeated([each.name for each in record.fields], "field", place)
        return record

    def _field(self, document: Any, namespace: str, place: Place, index: int) -> Field:
        match document:
            case {"name": str(name), "type": kind} if NAME.fullmatch(name):
                place = place.field(index, name)
            case _:
                raise MalformedSchemaError(
                    place.at("fields").at(index), "not a field with a name and a type"
                )
        return Field(
            name=name,
            type=self.parse(kind, namespace, place.at("type")),
            aliases=_aliases(document, "", place),
            default=document.get("default", NO_DEFAULT),
            doc=_doc(document, place),
        )

    def _enum(self, document: Mapping[str, Any], name: str, place: Place) -> Enum:
        symbols = document.get("symbols")
        if not _are_strings(symbols) or not all(map(NAME.fullmatch, symbols)):
            raise MalformedSchemaError(
                place, f"the enum {name} has no list of symbols that are names"
            )
        _refuse_repeated(symbols, "symbol", place.at("symbols"))
        default = document.get("default")
        if "default" in document and default not in symbols:
            raise MalformedSchemaError(
                place.at("default"), f"{_told(default)} is not a symbol of {name}"
            )
        aliases, doc = _aliases(document, namespace_of(name), place), _doc(document, place)
        enum = Enum(name=name, aliases=aliases, doc=doc, symbols=tuple(symbols), default=default)
        self._named[name] = enum
        return enum

    def _fixed(self, document: Mapping[str, Any], name: str, place: Place) -> Fixed:
        size = document.get("size")
        if type(size) is not int or size < 0:
            raise MalformedSchemaError(place, f"the fixed type {name} has no size")
        logical, ignored = annotation(document, "fixed")
        fixed = Fixed(
            name=name,
            aliases=_aliases(document, namespace_of(name), place),
            doc=_doc(document, place),
            size=size,
            logical=logical,
            ignored=ignored,
        )
        self._named[name] = fixed
        return fixed

    def _name(self, document: Mapping[str, Any], namespace: str, place: Place) -> str:
        simple, own = document.get("name"), document.get("namespace", namespace)
        if not isinstance(simple, str) or not isinstance(own, str):
            raise MalformedSchemaError(place, f"the {document['type']} has no name")
        name = qualify(simple, own)
        if not all(map(NAME.fullmatch, name.split("."))) or name in PRIMITIVES:
            raise MalformedSchemaError(place, f"{name!r} cannot be the name of a type")
        if name in self._named:
            raise MalformedSchemaError(place, f"{name} is defined twice")
        return name


def qualify(name: str, namespace: str) -> str:
    """Return a full name: the name itself when it has a namespace, else the name in the one given."""
    return name if "." in name or not namespace else f"{namespace}.{name}"


def namespace_of(name: str) -> str:
    """Return the namespace of a full name, which is also that of what stands inside its definition."""
    return name.rpartition(".")[0]


def _aliases(document: Mapping[str, Any], namespace: str, place: Place) -> tuple[str, ...]:
    aliases = document.get("aliases", [])
    if not _are_strings(aliases):
        raise MalformedSchemaError(place.at("aliases"), "not a list of names")
    return tuple(qualify(each, namespace) for each in aliases)


def _doc(document: Mapping[str, Any], place: Place) -> str:
    doc = document.get("doc") or ""
    if not isinstance(doc, str):
        raise MalformedSchemaError(place.at("doc"), "not a text")
    return doc


def _told(document: Any) -> str:
    text = json.dumps(document)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _are_strings(values: Any) -> TypeGuard[list[str]]:
    return isinstance(values, list) and all(isinstance(each, str) for each in values)


def _refuse_repeated(names: list[str], what: str, place: Place) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise MalformedSchemaError(place, f"the {what} {name} is there twice")
