"""Avro data as they stand in the bytes, before they mean anything: fastavro reads and writes them.

What fastavro would take for something else is put in a form of the same bytes that it cannot mistake: a boolean is one
byte, an enum a number, a map a list of entries, and each type of a union with several a record of its own. Aliases,
defaults, namespaces and logical types are left out, so that no two libraries need to agree on them.
"""

from collections.abc import Iterator
from itertools import count
from typing import IO, Any

import fastavro

from schemas.gate.avro.model import (
    Array,
    Enum,
    Fixed,
    Map,
    Primitive,
    Record,
    Type,
    Union,
    is_plural,
    type_name,
)

KEY, VALUE = "key", "value"
"""Fields of an entry of a map; the second is also that of a type in a union."""
DEEPEST = 100
"""Most records of one type within each other that are read. fastavro itself goes down until the process breaks."""


class Wire:
    """The bytes of one schema.

    Args:
        deepest: Most records of one type within each other; None where data come from this program.
    """

    def __init__(self, schema: Type, *, deepest: int | None = DEEPEST) -> None:
        self._deepest = deepest
        self._level = 0
        self._open: frozenset[Record] = frozenset()
        self._records: dict[tuple[Record, int], str] = {}
        self._numbers = count()
        self.branches: dict[Union, tuple[str, ...]] = {}
        """What the types of a union are called here."""
        self.index: dict[str, int] = {}
        """Where in its union a type of such a name stands."""
        self._plain = fastavro.parse_schema(self._of(schema))
        self._is_plural = any(map(is_plural, self.branches))

    @property
    def is_recursive(self) -> bool:
        return any(level for _, level in self._records)

    def read(self, buffer: IO[bytes]) -> Any:
        """Return the datum that the bytes hold; fastavro raises whatever corrupt bytes lead it to."""
        return fastavro.schemaless_reader(
            buffer,
            self._plain,
            None,
            return_record_name=self._is_plural,
            return_record_name_override=self._is_plural,
        )

    def write(self, buffer: IO[bytes], datum: Any) -> None:
        """Write a datum; a value of a union is a pair of the type's name and the value."""
        fastavro.schemaless_writer(buffer, self._plain, datum)

    def _of(self, schema: Type) -> Any:  # noqa: PLR0911 - one return for each Avro type
        match schema:
            case Primitive(kind="boolean"):
                return self._named("fixed", size=1)
            case Primitive():
                return schema.kind
            case Enum():
                return "int"
            case Fixed():
                return self._named("fixed", size=schema.size)
            case Array():
                return {"type": "array", "items": self._of(schema.items)}
            case Map():
                key = {"name": KEY, "type": "string"}
                return {"type": "array", "items": self._holder(schema.values, key)}
            case Union():
                return [*self._union(schema)]
            case _:
                return self._record(schema)

    def _union(self, union: Union) -> Iterator[Any]:
        names: list[str] = []
        for index, branch in enumerate(union.branches):
            is_held = is_plural(union) and type_name(branch) != "null"
            plain = self._holder(branch) if is_held else self._of(branch)
            names.append(plain if isinstance(plain, str) else plain.get("name", plain["type"]))
            self.index[names[-1]] = index
            yield plain
        self.branches[union] = tuple(names)

    def _holder(self, value: Type, *before: dict[str, str]) -> Any:
        return self._named("record", fields=[*before, {"name": VALUE, "type": self._of(value)}])

    def _record(self, schema: Record) -> Any:
        """Return a record, or the name of one that was there before.

        One that stands within itself is written out anew for each level, down to one that cannot be read.
        """
        level = self._level + (self._deepest is not None and schema in self._open)
        if self._deepest is not None and level > self._deepest:
            return self._named("enum", symbols=[])
        if (schema, level) in self._records:
            return self._records[schema, level]
        self._records[schema, level] = name = self._new_name()
        around = self._level, self._open
        self._open = frozenset({schema}) | (self._open if level == self._level else frozenset())
        self._level = level
        fields = [{"name": each.name, "type": self._of(each.type)} for each in schema.fields]
        self._level, self._open = around
        return {"type": "record", "name": name, "fields": fields}

    def _named(self, kind: str, **more: Any) -> Any:
        return {"type": kind, "name": self._new_name(), **more}

    def _new_name(self) -> str:
        return f"plain.t{next(self._numbers)}"
