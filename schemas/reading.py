"""Schema resolution: what was written in one schema, told in another, by functions chosen once for the two.

Names, aliases, promotions and the branches of unions are those of the gate, so that what it lets pass is what is read.
"""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.defaults import default_of
from schemas.gate.avro.logical import change
from schemas.gate.avro.model import (
    NO_DEFAULT,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Primitive,
    Record,
    Type,
    Union,
    is_plural,
    type_name,
)
from schemas.gate.avro.resolution import Comparison, promotes, source_of
from schemas.gate.avro.rules import Rule
from schemas.json_scalars import same
from schemas.scalars import Turn, later, scalar
from schemas.wire import KEY, VALUE, Wire


class Resolution:
    """Finds the functions that make of data as they stand in the bytes what a reader's schema says.

    Args:
        tagged: Whether a value of a union of several types comes with the name of its type.
    """

    def __init__(self, writer: Type, wire: Wire, *, tagged: bool) -> None:
        self._index = wire.index
        self._tagged = tagged
        self._comparison = Comparison.with_writer(writer)
        self._found: dict[tuple[Record, Record], list[Turn | None]] = {}

    def turn(self, reader: Type, writer: Type) -> Turn | None:  # noqa: PLR0911 - one return for each Avro type
        """Return what makes of a value that was written the one that is read; None if it is the same."""
        match reader, writer:
            case _, Union():
                return self._union(reader, writer)
            case Union(), _:
                return self._branch(reader, writer)
            case Record(), Record() if reader.reads(writer):
                return self._record(reader, writer)
            case Array(), Array():
                return _each(self.turn(reader.items, writer.items))
            case Map(), Map():
                return _entries(self.turn(reader.values, writer.values) or same)
            case Enum(), Enum() if reader.reads(writer):
                return _symbols(reader, writer)
            case Fixed(), Fixed() if reader.reads(writer) and reader.size == writer.size:
                return _scalar(reader, writer)
            case Primitive(), Primitive() if promotes(reader, writer):
                return _scalar(reader, writer)
        return _refuse(f"{writer} was written, and {reader} is read")

    def _union(self, reader: Type, writer: Union) -> Turn | None:
        turns = [self.turn(reader, branch) for branch in writer.branches]
        if is_plural(writer):
            return self._of_several(writer, turns)
        by_null = {
            type_name(each) == "null": turn
            for each, turn in zip(writer.branches, turns, strict=True)
        }
        if not any(by_null.values()):
            return None
        of_null, of_other = (by_null.get(is_null) or same for is_null in (True, False))
        return lambda value: of_null(value) if value is None else of_other(value)

    def _of_several(self, writer: Union, turns: list[Turn | None]) -> Turn:
        names = [type_name(branch) for branch in writer.branches]
        of_null = turns[names.index("null")] if "null" in names else None
        index, ready = self._index, [turn or same for turn in turns]

        def read(value: Any) -> Any:
            if value is None:
                return of_null(None) if of_null else None
            name, held = value
            return ready[index[name]](held[VALUE])

        return read

    def _branch(self, reader: Union, writer: Type) -> Turn | None:
        index = self._comparison.branch(reader, writer)
        if index is None:
            return _refuse(f"{writer} was written, and {reader} has no place for it")
        branch = reader.branches[index]
        turn, name = self.turn(branch, writer), type_name(branch)
        if not self._tagged or not is_plural(reader) or name == "null":
            return turn
        return (lambda value: (name, turn(value))) if turn else (lambda value: (name, value))

    def _record(self, reader: Record, writer: Record) -> Turn | None:
        pair = reader, writer
        if pair not in self._found:
            self._found[pair] = found = []
            found.append(self._fields(reader, writer))
        found = self._found[pair]
        return found[0] if found else later(found)

    def _fields(self, reader: Record, writer: Record) -> Turn | None:
        copied: list[tuple[str, str, Turn | None]] = []
        filled: list[tuple[str, Callable[[], Any]]] = []
        for field in reader.fields:
            source = source_of(field, reader, writer)
            if source is not None:
                copied.append((field.name, source.name, self.turn(field.type, source.type)))
            elif field.default is NO_DEFAULT:
                return _refuse(f"{reader.name} needs {field.name}, which was not written")
            else:
                filled.append((field.name, self._filler(field)))
        if not filled and [old for _, old, _ in copied] == [each.name for each in writer.fields]:
            renamed = [(new, turn) for new, old, turn in copied if new != old]
            if not renamed:
                return _in_place([(old, turn) for _, old, turn in copied if turn])
        return _anew(copied, filled)

    def _filler(self, field: Field) -> Callable[[], Any]:
        return lambda: default_of(field.type, field.default, tagged=self._tagged)


def _in_place(turns: list[tuple[str, Turn]]) -> Turn | None:
    def read(datum: dict[str, Any]) -> dict[str, Any]:
        for name, turn in turns:
            datum[name] = turn(datum[name])
        return datum

    return read if turns else None


def _anew(
    copied: list[tuple[str, str, Turn | None]], filled: list[tuple[str, Callable[[], Any]]]
) -> Turn:
    def read(datum: Mapping[str, Any]) -> dict[str, Any]:
        result = {
            name: turn(datum[source]) if turn else datum[source] for name, source, turn in copied
        }
        for name, fill in filled:
            result[name] = fill()
        return result

    return read


def _each(turn: Turn | None) -> Turn | None:
    return turn and (lambda items: [turn(item) for item in items])


def _entries(turn: Turn) -> Turn:
    def read(entries: list[dict[str, Any]]) -> dict[str, Any]:
        found = {entry[KEY]: turn(entry[VALUE]) for entry in entries}
        if len(found) < len(entries):
            raise ValueError("a map has a key twice")
        return found

    return read


def _symbols(reader: Enum, writer: Enum) -> Turn:
    """Return what reads the number of a symbol; a number that names none is an error, and never the default."""
    read = {
        number: symbol if symbol in reader.symbols else reader.default
        for number, symbol in enumerate(writer.symbols)
    }
    missing = {symbol for symbol in writer.symbols if symbol not in reader.symbols}

    def take(number: int) -> str:
        symbol = read[number]
        if symbol is None:
            raise ValueError(f"{reader.name} has no symbol {writer.symbols[number]}")
        return symbol

    return read.__getitem__ if reader.default is not None or not missing else take


def _scalar(reader: Primitive | Fixed, writer: Primitive | Fixed) -> Turn | None:
    """Return what reads a value; one that was annotated otherwise is read as it was meant, if it fits."""
    match change(reader, writer):
        case Rule.LOGICAL:
            return _refuse(f"{writer} was written, and {reader} is read")
        case Rule.UNIT | Rule.SCALE:
            return _converted(scalar(writer).read or same, scalar(reader).write)
    if isinstance(reader, Primitive) and isinstance(writer, Primitive):
        return _promoted(reader, writer)
    return scalar(reader).read


def _converted(read: Turn, check: Turn) -> Turn:
    def convert(data: Any) -> Any:
        value = read(data)
        check(value)
        return value

    return convert


def _promoted(reader: Primitive, writer: Primitive) -> Turn | None:
    match writer.kind, reader.kind:
        case (("int" | "long"), ("float" | "double")):
            return scalar(reader).write  # which refuses what would be rounded
        case "string", "bytes":
            return _after(str.encode, scalar(reader).read)
        case "bytes", "string":
            return _after(bytes.decode, scalar(reader).read)
        case "int", "long":
            return _after(scalar(Primitive("int")).read or same, scalar(reader).read)
    return scalar(reader).read


def _after(first: Turn, then: Turn | None) -> Turn:
    return (lambda value: then(first(value))) if then else first


def _refuse(reason: str) -> Turn:
    def refuse(_: Any) -> Any:
        raise ValueError(reason)

    return refuse
