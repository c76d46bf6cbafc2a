"""Judges whether a reader's Avro schema can read what a writer's wrote, by the schema resolution of Avro 1.12.

Beyond the letter, values that decode to something that means something else are found too; see `Rule.is_silent`.
The contested corners are decided in `docs/decisions/0008-avro-contested-cases.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schemas.gate.avro_logical import change
from schemas.gate.avro_model import (
    NO_DEFAULT,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Named,
    Place,
    Primitive,
    Record,
    Type,
    Union,
)
from schemas.gate.avro_renames import likely_renames
from schemas.gate.avro_rules import ONE_SIDED, Mismatch, Rule

PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


def check(reader: Type, writer: Type) -> list[Mismatch]:
    """Return every reason why the reader cannot read all that the writer may have written, as it was meant.

    A record that is used in several places is judged where it is met first.

    Args:
        reader: Schema that the data is read with.
        writer: Schema that the data was written with.
    """
    return [found for found in check_strictly(reader, writer) if found.rule not in ONE_SIDED]


def check_strictly(reader: Type, writer: Type) -> list[Mismatch]:
    """Return the same, and where only one of the two says what the values mean.

    Avro reads such values as the bare numbers, strings or bytes they are; programs take them for something else.
    """
    return list(_Comparison().types(reader, writer, Place()))


class _Comparison:
    """One walk over two schemas.

    Args:
        met: Pairs of records taken to fit, because they are judged elsewhere in the walk; this ends recursion.
    """

    def __init__(self, met: frozenset[tuple[int, int]] = frozenset()) -> None:
        self._met = set(met)

    def types(self, reader: Type, writer: Type, place: Place) -> Iterator[Mismatch]:
        match reader, writer:
            case _, Union():
                for index, branch in enumerate(writer.branches):
                    yield from self._branch(reader, branch, place, index)
            case Union(), _:
                yield from self._choose(reader, writer, place, place)
            case Record(), Record():
                yield from self._records(reader, writer, place)
            case Enum(), Enum():
                yield from _names(reader, writer, place)
                yield from _symbols(reader, writer, place)
            case Fixed(), Fixed():
                yield from _names(reader, writer, place)
                yield from _sizes(reader, writer, place)
                yield from _logical(reader, writer, place)
            case Array(), Array():
                yield from self.types(reader.items, writer.items, place.at("items"))
            case Map(), Map():
                yield from self.types(reader.values, writer.values, place.at("values"))
            case Primitive(), Primitive() if _promotes(reader, writer):
                yield from _logical(reader, writer, place)
            case _:
                yield Mismatch(Rule.TYPE, place, str(reader), str(writer))

    def _branch(self, reader: Type, branch: Type, place: Place, index: int) -> Iterator[Mismatch]:
        """Judge one branch of the writer's union; a type that does not fit here is a branch that has no place."""
        here = place.at(index)
        if isinstance(reader, Union):
            every = self._choose(reader, branch, place, here)
        else:
            every = self.types(reader, branch, here)
        for found in every:
            stray = found.rule is Rule.TYPE and found.place == here
            yield replace(found, rule=Rule.BRANCH) if stray else found

    def _choose(
        self, reader: Union, writer: Type, place: Place, missing: Place
    ) -> Iterator[Mismatch]:
        """Judge the branch of the reader's union that takes a type: the same type, or else the first that can.

        Args:
            reader: The union.
            writer: What one of its branches has to take.
            place: Where the union stands.
            missing: Where to report that no branch does.
        """
        branches = sorted(
            enumerate(reader.branches), key=lambda each: not _is_same(each[1], writer)
        )
        for index, branch in branches:
            if self._fits(branch, writer, place):
                yield from self.types(branch, writer, place.at(index))
                return
        meant = [each for each in branches if _is_meant(each[1], writer)]
        causes: list[Mismatch] = []
        if len(meant) == 1:
            [(index, branch)] = meant
            causes.extend(self.types(branch, writer, place.at(index)))
        yield Mismatch(Rule.TYPE, missing, str(reader), str(writer), tuple(causes))

    def _fits(self, reader: Type, writer: Type, place: Place) -> bool:
        attempt = _Comparison(frozenset(self._met))
        return all(found.rule.is_silent for found in attempt.types(reader, writer, place))

    def _records(self, reader: Record, writer: Record, place: Place) -> Iterator[Mismatch]:
        pair = id(reader), id(writer)
        if pair in self._met:
            return
        self._met.add(pair)
        yield from _names(reader, writer, place)
        renames = likely_renames(reader, writer)
        for index, field in enumerate(reader.fields):
            here = place.field(index, field.name)
            source = source_of(field, reader, writer)
            if source is not None:
                yield from self.types(field.type, source.type, here.at("type"))
            elif field.default is NO_DEFAULT:
                yield _missing(field, renames.get(field.name), here)
            yield from _ambiguous(field, reader, writer, here)


def source_of(field: Field, reader: Record, writer: Record) -> Field | None:
    """Return the writer's field that a field is read from: the one of its name, else one that an alias names."""
    own = writer.field(field.name)
    if own is not None:
        return own
    free = (alias for alias in field.aliases if reader.field(alias) is None)
    return next(filter(None, map(writer.field, free)), None)


def _missing(field: Field, renamed: str | None, place: Place) -> Mismatch:
    rule = Rule.FIELD_RENAMED if renamed else Rule.FIELD_MISSING
    return Mismatch(rule, place, field.name, renamed or "")


def _ambiguous(field: Field, reader: Record, writer: Record, place: Place) -> Iterator[Mismatch]:
    """Avro decoders disagree on an alias that is also a name in use: some swap the fields, some fail."""
    for alias in field.aliases:
        in_use = writer.field(field.name) is not None or reader.field(alias) is not None
        if in_use and alias != field.name and writer.field(alias) is not None:
            yield Mismatch(Rule.ALIAS_AMBIGUOUS, place.at("aliases"), field.name, alias)


def _names(reader: Named, writer: Named, place: Place) -> Iterator[Mismatch]:
    if not reader.reads(writer):
        yield Mismatch(Rule.NAME, place.at("name"), reader.name, writer.name)


def _symbols(reader: Enum, writer: Enum, place: Place) -> Iterator[Mismatch]:
    unknown = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
    if unknown and reader.default is None:
        yield Mismatch(Rule.SYMBOLS, place.at("symbols"), reader.name, ", ".join(unknown))


def _sizes(reader: Fixed, writer: Fixed, place: Place) -> Iterator[Mismatch]:
    if reader.size != writer.size:
        yield Mismatch(Rule.SIZE, place.at("size"), str(reader.size), str(writer.size))


def _logical(
    reader: Primitive | Fixed, writer: Primitive | Fixed, place: Place
) -> Iterator[Mismatch]:
    rule = change(reader, writer)
    if rule is not None:
        yield Mismatch(rule, place, str(reader.logical or reader), str(writer.logical or writer))


def _promotes(reader: Primitive, writer: Primitive) -> bool:
    return reader.kind == writer.kind or reader.kind in PROMOTIONS.get(writer.kind, ())


def _is_same(reader: Type, writer: Type) -> bool:
    """Whether a branch is the writer's type itself: the same full name, or the same kind where there are no names."""
    match reader, writer:
        case Primitive(), Primitive():
            return reader.kind == writer.kind
        case Named(), Named():
            return reader.name == writer.name
        case _:
            return type(reader) is type(writer)


def _is_meant(reader: Type, writer: Type) -> bool:
    """Whether a branch that does not fit is the one the writer's type was meant for."""
    if type(reader) is not type(writer) or isinstance(reader, Primitive):
        return False
    return not isinstance(reader, Named) or not isinstance(writer, Named) or reader.reads(writer)
