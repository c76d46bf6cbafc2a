"""Avro schemas as the gate sees them: parsed once, names qualified, references followed, annotations understood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

NO_DEFAULT: Any = object()
"""Stands where a field has no default; `None` would be the default `null`."""


@dataclass(frozen=True, slots=True)
class Logical:
    """A logical type that is valid where it stands."""

    name: str  # its name, such as `decimal` or `timestamp-micros`
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        return f"decimal({self.precision}, {self.scale})" if self.precision else self.name


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """One of the eight primitive types; `ignored` names an annotation that no reader heeds here."""

    kind: str
    logical: Logical | None = None
    ignored: str | None = None

    def __str__(self) -> str:
        return str(self.logical or self.kind)


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """A list of items of one type."""

    items: Type

    def __str__(self) -> str:
        return f"array of {self.items}"


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Values of one type by string."""

    values: Type

    def __str__(self) -> str:
        return f"map of {self.values}"


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    """One of several types."""

    branches: tuple[Type, ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.branches)) or "nothing"


@dataclass(slots=True, eq=False, kw_only=True)
class Named:
    """What records, enums and fixed types have in common."""

    name: str
    aliases: tuple[str, ...] = ()
    doc: str = ""

    @property
    def short(self) -> str:
        """The name without its namespace, which is what Avro compares."""
        return self.name.rpartition(".")[2]

    def reads(self, writer: Named) -> bool:
        return self.short == writer.short or writer.name in self.aliases

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True, eq=False, kw_only=True)
class Enum(Named):
    """One of a list of symbols; a reader takes the default for a symbol it does not know."""

    symbols: tuple[str, ...]
    default: str | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Fixed(Named):
    """So many bytes."""

    size: int
    logical: Logical | None = None
    ignored: str | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Field:
    """One field of a record; `default` is JSON as it stands in the schema, or `NO_DEFAULT`."""

    name: str
    type: Type
    aliases: tuple[str, ...] = ()
    default: Any = NO_DEFAULT
    doc: str = ""


@dataclass(slots=True, eq=False, kw_only=True)
class Record(Named):
    """Fields in order. They are set after construction, as they may refer to the record itself."""

    fields: tuple[Field, ...] = field(default=())
    _by_name: dict[str, Field] = field(default_factory=dict)

    def complete(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(fields)
        self._by_name = {each.name: each for each in self.fields}

    def field(self, name: str) -> Field | None:
        return self._by_name.get(name)


Type = Primitive | Array | Map | Union | Enum | Fixed | Record


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a schema: a JSON pointer, and the names of the fields on the way."""

    pointer: str = ""
    names: str = ""

    def at(self, step: str | int) -> Place:
        return Place(f"{self.pointer}/{step}", self.names)

    def field(self, index: int, name: str) -> Place:
        names = f"{self.names}.{name}" if self.names else name
        return Place(f"{self.pointer}/fields/{index}", names)

    def __str__(self) -> str:
        return f"{self.pointer or '/'} {self.names}".rstrip()


def children(schema: Type, place: Place) -> Iterator[tuple[Type, Place]]:
    """Yield the types that stand directly inside another, with their places."""
    match schema:
        case Array():
            yield schema.items, place.at("items")
        case Map():
            yield schema.values, place.at("values")
        case Union():
            for index, branch in enumerate(schema.branches):
                yield branch, place.at(index)
        case Record():
            for index, each in enumerate(schema.fields):
                yield each.type, place.field(index, each.name).at("type")


def named_types(schema: Type) -> Iterator[tuple[Enum | Fixed | Record, Place]]:
    """Yield each record, enum and fixed type once, with its first place."""
    met: set[int] = set()

    def walk(each: Type, place: Place) -> Iterator[tuple[Enum | Fixed | Record, Place]]:
        if id(each) in met:
            return
        met.add(id(each))
        if isinstance(each, Named):
            yield each, place
        for child, inner in children(each, place):
            yield from walk(child, inner)

    return walk(schema, Place())


def is_plural(union: Union) -> bool:
    """Whether a union has several types besides null, so that a value does not tell which one it is of."""
    return sum(type_name(branch) != "null" for branch in union.branches) > 1


def type_name(schema: Type) -> str:
    """Return what a type is called as a branch of a union: its full name, or its kind where it has none."""
    match schema:
        case Primitive():
            return schema.kind
        case Array():
            return "array"
        case Map():
            return "map"
        case Union():
            return "union"
        case _:
            return schema.name
