"""What the gate compares of `.proto` files: messages, enums and services, as plain data with their line numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas.gate import proto_options
from schemas.gate.proto_options import Options

Cardinality = Literal["singular", "optional", "required", "repeated", "map"]

# Numbers of fields in Google's descriptor.proto: a source path is made of these and of indexes.
_PACKAGE, _MESSAGE, _ENUM, _SERVICE = 2, 4, 5, 6
_FIELD, _NESTED_MESSAGE, _NESTED_ENUM = 2, 3, 4
_VALUE, _METHOD = 2, 2
_CARDINALITIES: dict[int, Cardinality] = {1: "singular", 2: "required", 3: "repeated"}

SourcePath = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reserved:
    """Numbers and names that nothing may take again. Ranges of numbers are inclusive at both ends."""

    ranges: tuple[tuple[int, int], ...] = ()
    names: frozenset[str] = frozenset()

    def has_number(self, number: int) -> bool:
        """Whether a number is reserved."""
        return any(first <= number <= last for first, last in self.ranges)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message. `kind` is a scalar's name, `enum` or `message`; `type` the name as one reads it."""

    name: str
    number: int
    kind: str
    type: str
    cardinality: Cardinality
    oneof: str | None
    json_name: str
    line: int | None
    options: Options


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an enum."""

    name: str
    number: int
    line: int | None


@dataclass(frozen=True, slots=True)
class Message:
    """A message; the name of a nested one is `Outer.Inner`."""

    name: str
    fields: tuple[Field, ...]
    reserved: Reserved
    line: int | None
    oneofs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum; the name of a nested one is `Outer.Inner`."""

    name: str
    values: tuple[Value, ...]
    reserved: Reserved
    line: int | None


@dataclass(frozen=True, slots=True)
class Method:
    """One rpc of a service."""

    name: str
    request: str
    response: str
    client_streams: bool
    server_streams: bool
    line: int | None
    options: Options


@dataclass(frozen=True, slots=True)
class Service:
    """A service and its rpcs."""

    name: str
    methods: tuple[Method, ...]
    line: int | None


Type = Message | Enum | Service


@dataclass(frozen=True, slots=True)
class File:
    """One `.proto` file.

    `syntax` is `proto2`, `proto3` or `editions`; `types` are found by name within the package, `extensions` are told by
    name, what they extend, number and type.
    """

    path: str
    package: str
    syntax: str
    types: Mapping[str, Type]
    package_line: int | None
    options: Options
    extensions: Mapping[str, str]


def read_file(descriptor: Any) -> File:
    """Return a file as the gate compares it.

    Args:
        descriptor: `FileDescriptorProto` with source info.
    """
    reader = _Reader(descriptor)
    return File(
        path=descriptor.name,
        package=descriptor.package,
        syntax=descriptor.syntax or "proto2",
        types={found.name: found for found in reader.types()},
        package_line=reader.line((_PACKAGE,)),
        options=proto_options.of_file(descriptor.options),
        extensions=dict(reader.extensions(descriptor, "")),
    )


class _Reader:
    """Walks one file descriptor."""

    def __init__(self, descriptor: Any) -> None:
        self._file = descriptor
        locations = descriptor.source_code_info.location
        self._lines = {tuple(place.path): place.span[0] + 1 for place in locations}

    def line(self, path: SourcePath) -> int | None:
        line: int | None = self._lines.get(path)
        return line

    def extensions(self, holder: Any, around: str) -> Iterator[tuple[str, str]]:
        """Yield what a file or message adds to messages of others."""
        for field in holder.extension:
            extended = field.extendee.removeprefix(".")
            yield f"{around}{field.name}", f"{extended} {field.number} {_type_of(field)[1]}"
        for message in holder.message_type if not around else holder.nested_type:
            yield from self.extensions(message, f"{around}{message.name}.")

    def types(self) -> Iterator[Type]:
        for index, message in enumerate(self._file.message_type):
            yield from self._messages(message, message.name, (_MESSAGE, index))
        for index, enum in enumerate(self._file.enum_type):
            yield self._enum(enum, enum.name, (_ENUM, index))
        for index, service in enumerate(self._file.service):
            yield self._service(service, (_SERVICE, index))

    def _messages(self, message: Any, name: str, path: SourcePath) -> Iterator[Type]:
        """Yield a message and the types inside it."""
        maps = {f".{self._qualified(name)}.{m.name}": m for m in message.nested_type if _is_map(m)}
        fields = tuple(
            self._field(message, field, (*path, _FIELD, index), maps)
            for index, field in enumerate(message.field)
        )
        ranges = tuple((taken.start, taken.end - 1) for taken in message.reserved_range)
        reserved = Reserved(ranges, frozenset(message.reserved_name))
        oneofs = {each.name for each in message.oneof_decl} & {each.oneof for each in fields}
        yield Message(name, fields, reserved, self.line(path), tuple(sorted(oneofs)))
        for index, nested in enumerate(message.nested_type):
            if not _is_map(nested):
                inside = (*path, _NESTED_MESSAGE, index)
                yield from self._messages(nested, f"{name}.{nested.name}", inside)
        for index, enum in enumerate(message.enum_type):
            yield self._enum(enum, f"{name}.{enum.name}", (*path, _NESTED_ENUM, index))

    def _field(self, message: Any, field: Any, path: SourcePath, maps: Mapping[str, Any]) -> Field:
        cardinality = _CARDINALITIES[field.label]
        kind, type_name = _type_of(field)
        oneof = None
        if field.type_name in maps:
            key, value = maps[field.type_name].field
            cardinality, kind = "map", "map"
            type_name = f"map<{_type_of(key)[1]}, {_type_of(value)[1]}>"
        elif field.proto3_optional:
            cardinality = "optional"
        elif field.HasField("oneof_index"):
            oneof = message.oneof_decl[field.oneof_index].name
        return Field(
            field.name,
            field.number,
            kind,
            type_name,
            cardinality,
            oneof,
            field.json_name,
            self.line(path),
            proto_options.of_field(field.options),
        )

    def _enum(self, enum: Any, name: str, path: SourcePath) -> Enum:
        values = tuple(
            Value(value.name, value.number, self.line((*path, _VALUE, index)))
            for index, value in enumerate(enum.value)
        )
        ranges = tuple((taken.start, taken.end) for taken in enum.reserved_range)
        return Enum(name, values, Reserved(ranges, frozenset(enum.reserved_name)), self.line(path))

    def _service(self, service: Any, path: SourcePath) -> Service:
        methods = tuple(
            Method(
                method.name,
                method.input_type.removeprefix("."),
                method.output_type.removeprefix("."),
                method.client_streaming,
                method.server_streaming,
                self.line((*path, _METHOD, index)),
                proto_options.of_method(method.options),
            )
            for index, method in enumerate(service.method)
        )
        return Service(service.name, methods, self.line(path))

    def _qualified(self, name: str) -> str:
        return f"{self._file.package}.{name}" if self._file.package else name


def _is_map(message: Any) -> bool:
    return bool(message.options.map_entry)


def _type_of(field: Any) -> tuple[str, str]:
    """Return the kind of a field and its type as one reads it: `int32`, or the full name of a message."""
    kind = type(field).Type.Name(field.type).removeprefix("TYPE_").lower()
    return kind, field.type_name.removeprefix(".") or kind
