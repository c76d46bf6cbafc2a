"""Generates the message classes under `messages/` from the Avro schemas: `python -m schemas.generate`.

There is a module for each context, and one for each consumer that pins its own shapes to read in.

The classes are committed, so that a reader and a type checker see them; a test fails when they drift from the
schemas.
"""

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.catalogue import catalogue
from schemas.contracts import avsc, readers

PRIMITIVES = {"string": "str", "int": "int", "long": "int", "float": "float", "double": "float"} | {
    "boolean": "bool",
    "bytes": "bytes",
}
LOGICAL = {"uuid": "UUID", "timestamp-micros": "datetime", "date": "date"}
IMPORTS = {
    "UUID": "from uuid import UUID",
    "Decimal": "from decimal import Decimal",
    "datetime": "from datetime import datetime",
    "date": "from datetime import date",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """How one Avro type is written in Python: its annotation, and the two conversions as expression templates."""

    annotation: str
    to_avro: str = "{}"
    from_avro: str = "{}"


class Module:
    """One generated module: the classes of one context, dependencies before their users."""

    def __init__(self) -> None:
        self.classes: dict[str, str] = {}

    def add(
        self, schema: dict[str, Any], message: str | None = None, reader: str | None = None
    ) -> None:
        """Add the class of a record schema, and those of the named types inside it.

        Args:
            schema: The record.
            message: Full name of the message that it is; None for a record inside one.
            reader: Consumer that pinned it to read the message in.
        """
        fields = [(field, self._kind(field["type"])) for field in schema["fields"]]
        constants = _constants(message, reader) if message else ""
        self.classes[schema["name"]] = "\n".join(_record(schema, fields, constants))

    def _kind(self, schema: Any) -> Kind:  # noqa: PLR0911 - one return for each Avro type
        match schema:
            case str() if schema in PRIMITIVES:
                return Kind(PRIMITIVES[schema])
            case {"logicalType": "decimal", "precision": int(precision), "scale": int(scale)}:
                return Kind("Decimal", f"fit({{}}, {precision}, {scale})")
            case {"logicalType": str(logical)} if logical in LOGICAL:
                return Kind(LOGICAL[logical])
            case {"type": "array", "items": items}:
                inner = self._kind(items)
                return Kind(
                    f"tuple[{inner.annotation}, ...]",
                    "[" + inner.to_avro.format("item") + " for item in {}]",
                    "tuple(" + inner.from_avro.format("item") + " for item in {})",
                )
            case {"type": "record", "name": str(name)}:
                self.add(schema)
                return Kind(name, "{}.to_avro()", name + ".from_avro({})")
            case {"type": "enum", "name": str(name)}:
                self.classes[name] = "\n".join(_enum(schema))
                return Kind(name, "{}.value", name + "({})")
            case ["null", other]:
                return self._optional(self._kind(other))
        raise ValueError(f"the generator has no Python form for the Avro type {schema!r}")

    @staticmethod
    def _optional(inner: Kind) -> Kind:
        return Kind(
            f"{inner.annotation} | None",
            _unless_none(inner.to_avro),
            _unless_none(inner.from_avro),
        )

    def render(self, head: str) -> str:
        """Return the text of the module, given its docstring."""
        body = "\n\n\n".join(self.classes.values())
        standard = ["from typing import Any, ClassVar, Self", "from collections.abc import Mapping"]
        if "@dataclass" in body:
            standard.append("from dataclasses import dataclass")
        if "(StrEnum)" in body:
            standard.append("from enum import StrEnum")
        standard += [line for name, line in IMPORTS.items() if re.search(rf"\b{name}\b", body)]
        lines = "\n".join(sorted(standard))
        ours = "\n\nfrom schemas.message import fit" if "fit(" in body else ""
        return f'"""{head} Do not edit."""\n\n{lines}{ours}\n\n\n{body}\n'


def _unless_none(conversion: str) -> str:
    if conversion == "{}":
        return conversion
    return "None if {0} is None else " + conversion.replace("{}", "{0}")


def _record(
    schema: dict[str, Any], fields: list[tuple[dict[str, Any], Kind]], constants: str
) -> Iterator[str]:
    name = schema["name"]
    yield "@dataclass(frozen=True, slots=True, kw_only=True)"
    yield f"class {name}:"
    yield f'    """{schema["doc"]}"""\n'
    if constants:
        yield constants
    for field, kind in fields:
        default = " = None" if "default" in field and field["default"] is None else ""
        yield f"    {field['name']}: {kind.annotation}{default}"
        yield f'    """{field["doc"]}"""'
    yield "\n    def to_avro(self) -> dict[str, Any]:"
    yield '        """Return the datum that the Avro encoder takes."""'
    yield "        return {"
    for field, kind in fields:
        yield f'            "{field["name"]}": {kind.to_avro.format("self." + field["name"])},'
    yield "        }\n"
    yield "    @classmethod"
    yield "    def from_avro(cls, datum: Mapping[str, Any]) -> Self:"
    yield '        """Build the message from what the Avro decoder returns."""'
    yield "        return cls("
    for field, kind in fields:
        value = 'datum["' + field["name"] + '"]'
        yield f"            {field['name']}={kind.from_avro.format(value)},"
    yield "        )"


def _constants(message: str, reader: str | None) -> str:
    pinned = f'"{reader}"' if reader else None
    return f'    NAME: ClassVar[str] = "{message}"\n    READER: ClassVar[str | None] = {pinned}\n'


def _enum(schema: dict[str, Any]) -> Iterator[str]:
    yield f"class {schema['name']}(StrEnum):"
    yield f'    """{schema["doc"]}"""\n'
    for symbol in schema["symbols"]:
        yield f'    {symbol.upper()} = "{symbol}"'


def render_all() -> dict[str, str]:
    """Return the text of every generated file, by its name under `messages/`."""
    modules: dict[str, Module] = defaultdict(Module)
    heads: dict[str, str] = {}
    for name in catalogue().messages:
        context = name.partition(".")[0]
        modules[context].add(avsc(name), name)
        heads[context] = f"Messages of the `{context}` context, generated from `avro/{context}/`."
    for pinned in readers():
        module = "as_read_by_" + pinned.consumer.replace("-", "_")
        modules[module].add(pinned.schema, pinned.message, pinned.consumer)
        heads[module] = f"Messages as {pinned.consumer} reads them, generated from `readers/`."
    files = {f"{name}.py": module.render(heads[name]) for name, module in modules.items()}
    return files | {"__init__.py": _index(catalogue().messages)}


def _index(names: tuple[str, ...]) -> str:
    contexts = sorted({name.partition(".")[0] for name in names})
    entries = "\n".join(f"    {name}," for name in names)
    return textwrap.dedent('''\
        """The message classes, one module a context, generated from the Avro schemas. Do not edit."""

        from schemas.message import Message
        from schemas.messages import {contexts}

        ALL: tuple[type[Message], ...] = (
        {entries}
        )
        """Every message class, in the catalogue's order."""
        ''').format(contexts=", ".join(contexts), entries=entries)


def main() -> None:
    """Write the generated files into the source tree."""
    directory = Path(__file__).parent / "messages"
    for name, text in render_all().items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    main()
