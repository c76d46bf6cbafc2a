"""One generated module: the message classes of one context or consumer, dependencies before their users."""

import textwrap
from collections.abc import Iterator

from schemas.gate.avro.model import (
    Array,
    Enum,
    Field,
    Map,
    Primitive,
    Record,
    Type,
    Union,
    type_name,
)
from schemas.identifiers import attribute, class_names, is_class_name, member
from schemas.kinds import Kind, array, mapping, simple, union

IMPORTS = {
    "UUID": "uuid",
    "Decimal": "decimal",
    "datetime": "datetime",
    "date": "datetime",
    "time": "datetime",
    "Never": "typing",
}
WIDEST = 120


class Module:
    """The classes of one context or consumer."""

    def __init__(self) -> None:
        self.classes: dict[str, str] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._imports = {
            "collections.abc": {"Mapping"},
            "dataclasses": {"dataclass"},
            "typing": {"Any", "ClassVar", "Self"},
        }
        self._open: set[str] = set()
        self._message = ""

    def add(self, schema: Record, message: str, reader: str | None = None) -> str:
        """Add the class of a message, and those of the types inside it; return what the class is called."""
        self._message = message
        return self._record(schema, _constants(message, reader))

    def render(self, head: str) -> str:
        """Return the text of the module, given its docstring."""
        lines = "\n".join(
            f"from {module} import {', '.join(sorted(names, key=_order))}"
            for module, names in sorted(self._imports.items())
        )
        body = "\n\n\n".join(self.classes.values())
        told = textwrap.fill(f"{head} Do not edit.", WIDEST - len('""""""'))
        return f'"""{told}"""\n\n{lines}\n\n\n{body}\n'

    def _kind(self, schema: Type, depth: int = 0) -> Kind:
        match schema:
            case Array():
                return array(self._kind(schema.items, depth + 1), depth)
            case Map():
                return mapping(self._kind(schema.values, depth + 1), depth)
            case Union():
                return union([self._kind(branch, depth) for branch in schema.branches])
            case Record():
                return self._of_record(schema)
            case Enum():
                return self._of_enum(schema)
        return simple(schema)

    def _of_record(self, schema: Record) -> Kind:
        name = self._known(schema) or self._record(schema, "")
        return Kind(
            name,
            name,
            schema.name,
            lambda value: f"{value}.to_avro()",
            lambda value: f"{name}.from_avro({value})",
            name in self._open,
        )

    def _of_enum(self, schema: Enum) -> Kind:
        name = self._known(schema) or self._enum(schema)
        return Kind(
            name,
            name,
            schema.name,
            lambda value: f"{value}.value",
            lambda value: f"{name}({value})",
        )

    def _known(self, schema: Record | Enum) -> str | None:
        return self._names.get((schema.name, signature(schema)))

    def _named(self, schema: Record | Enum) -> str:
        """Return what the class of a type is called; types of one name that differ have classes of their own."""
        key = schema.name, signature(schema)
        if key not in self._names:
            free = (each for each in class_names(schema.name, self._message) if is_class_name(each))
            taken = set(self._names.values())
            self._names[key] = next(each for each in free if each not in taken)
        return self._names[key]

    def _record(self, schema: Record, constants: str) -> str:
        name = self._named(schema)
        self._open.add(name)
        kinds = [(field, self._kind(field.type)) for field in schema.fields]
        self._open.discard(name)
        self.classes[name] = "\n".join(self._class(name, schema, kinds, constants))
        return name

    def _class(
        self, name: str, schema: Record, kinds: list[tuple[Field, Kind]], constants: str
    ) -> Iterator[str]:
        taken = {*self._names.values()}
        attributes: list[tuple[str, Field, Kind]] = []
        for field, kind in kinds:
            attributes.append((attribute(field.name, taken), field, kind))
            taken.add(attributes[-1][0])
        yield "@dataclass(frozen=True, slots=True, kw_only=True)"
        yield f"class {name}:"
        yield f"    {_docstring(schema.doc or f'The record {schema.name}.')}\n"
        if constants:
            yield constants
        for attribute_, field, kind in attributes:
            yield from self._attribute(attribute_, field, kind)
        yield "\n    def to_avro(self) -> dict[str, Any]:"
        yield "        return {"
        for attribute_, field, kind in attributes:
            yield f'            "{field.name}": {kind.to_avro("self." + attribute_)},'
        yield "        }\n"
        yield "    @classmethod"
        yield "    def from_avro(cls, datum: Mapping[str, Any]) -> Self:"
        yield "        return cls("
        for attribute_, field, kind in attributes:
            value = f'datum["{field.name}"]'
            yield f"            {attribute_}={kind.from_avro(value)},"
        yield "        )"

    def _attribute(self, name: str, field: Field, kind: Kind) -> Iterator[str]:
        annotation = f'"{kind.annotation}"' if kind.is_forward else kind.annotation
        self._import(field.type)
        default = _default(field, kind)
        yield f"    {name}: {annotation}{f' = {default}' if default else ''}"
        if field.doc:
            yield f"    {_docstring(field.doc)}"

    def _import(self, schema: Type) -> None:
        match schema:
            case Array():
                self._import(schema.items)
            case Map():
                self._import(schema.values)
            case Union():
                for branch in schema.branches:
                    self._import(branch)
                if not schema.branches:
                    self._imports["typing"].add("Never")
            case Record() | Enum():
                pass
            case _:
                held = simple(schema).base
                if held in IMPORTS:
                    self._imports.setdefault(IMPORTS[held], set()).add(held)

    def _enum(self, schema: Enum) -> str:
        name = self._named(schema)
        self._imports["enum"] = {"StrEnum"}
        lines = [f'    {each} = "{symbol}"' for symbol, each in _members(schema).items()]
        doc = _docstring(schema.doc or f"The enum {schema.name}.")
        self.classes[name] = "\n".join([f"class {name}(StrEnum):", f"    {doc}\n", *lines])
        return name


def _has_default(field: Field) -> bool:
    """Whether a message can be made without a field: where its default is a plain value."""
    match field.type, field.default:
        case (_, None) | (Enum(), str()) | (Primitive(kind="boolean"), bool()):
            return True
    return False


def _default(field: Field, kind: Kind) -> str:
    """Return the default of an attribute as it is written in Python; nothing where it has to be given."""
    if not _has_default(field):
        return ""
    match field.type:
        case Enum() as enum:
            return f"{kind.annotation}.{_members(enum)[field.default]}"
    return repr(field.default)


def _members(schema: Enum) -> dict[str, str]:
    """Return the member of each symbol."""
    members: dict[str, str] = {}
    for symbol in schema.symbols:
        members[symbol] = member(symbol, [*members.values()])
    return members


def signature(schema: Type) -> str:
    return "".join(_signature(schema, set()))


def _signature(schema: Type, met: set[str]) -> Iterator[str]:
    match schema:
        case Array():
            yield from ("[", *_signature(schema.items, met), "]")
        case Map():
            yield from ("{", *_signature(schema.values, met), "}")
        case Union():
            for branch in schema.branches:
                yield from ("|", *_signature(branch, met))
        case Enum():
            yield repr((schema.name, schema.doc, schema.symbols))
        case Record() if schema.name not in met:
            met.add(schema.name)
            yield repr((schema.name, schema.doc))
            for field in schema.fields:
                yield repr((field.name, field.doc, _has_default(field) and field.default))
                yield from _signature(field.type, met)
        case _:
            yield f"{type_name(schema)} {schema}"


def _docstring(text: str) -> str:
    """Return a text as a docstring within a class; one that is long in several lines."""
    words = " ".join(text.split()).replace('"""', "'''").rstrip("\\")
    words += " " * words.endswith('"')
    prefix = "r" * ("\\" in words)
    line = f'{prefix}"""{words}"""'
    if len(line) + 4 <= WIDEST:
        return line
    lines = textwrap.wrap(words, WIDEST - 12)
    return f'{prefix}"""' + "\n    ".join([*lines, '"""'])


def _constants(message: str, reader: str | None) -> str:
    pinned = f'"{reader}"' if reader else None
    return f'    NAME: ClassVar[str] = "{message}"\n    READER: ClassVar[str | None] = {pinned}\n'


def _order(name: str) -> tuple[bool, str]:
    return (name[0].islower(), name)
