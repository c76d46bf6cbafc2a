"""Judges whether a reader's Avro schema can read what a writer's wrote, by the schema resolution of Avro 1.12.

Beyond the letter, values that decode to something that means something else are found too; see `Rule.is_silent`.
The contested corners are decided in `docs/decisions/0008-avro-contested-cases.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

from schemas.gate.avro.logical import change
from schemas.gate.avro.model import (
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
    named_types,
)
from schemas.gate.avro.renames import likely_renames
from schemas.gate.avro.rules import GUESSED, LEGAL, Mismatch, Rule

PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


LOSSY = {("int", "float"), ("long", "float"), ("long", "double")}
"""Promotions to a type that has no room for all digits of the writer's."""


def check(reader: Type, writer: Type) -> list[Mismatch]:
    """Return every reason why the reader cannot read all that the writer may have written, as it was meant.

    A record that is used in several places is judged where it is met first.
    """
    return [found for found in check_strictly(reader, writer) if found.rule not in LEGAL]


def check_strictly(reader: Type, writer: Type) -> list[Mismatch]:
    """Return the same, and what Avro allows although values come to mean something else, or cannot be read.

    Only one side may say what the values mean; numbers may have more digits than the reader has room for; bytes may
    be no text.
    """
    compared = Comparison.with_writer(writer).types(reader, writer, Place())
    return [found for found in compared if found.rule not in GUESSED]


def quiet_renames(reader: Type, writer: Type) -> list[Mismatch]:
    """Return where the writer probably has a field under another name, for which the reader takes a default."""
    compared = Comparison.with_writer(writer).types(reader, writer, Place())
    return [found for found in compared if found.rule is Rule.FIELD_DEFAULTED]


def readings(reader: Type, writer: Type) -> Readings:
    """Return what each field and each enum of the reader is read from."""
    walk = Comparison.with_writer(writer)
    for _ in walk.types(reader, writer, Place()):
        pass
    return walk.readings


def hidden_symbols(reader: Type, writer: Type) -> list[Mismatch]:
    """Return where symbols of the writer would be read as the default of the reader's enum."""
    compared = Comparison.with_writer(writer).types(reader, writer, Place())
    return [found for found in compared if found.rule is Rule.HIDDEN]


@dataclass(frozen=True, slots=True)
class Readings:
    """What a reader's fields are read from in each record of the writer's, and its enums from which."""

    # with the field's place and the writer's record, and None where it has no such field
    fields: dict[Field, list[tuple[Place, Record, Field | None]]] = field(default_factory=dict)
    enums: list[tuple[Place, Enum, Enum]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Comparison:
    """One walk over two schemas."""

    written: frozenset[str]
    # whether a branch of a union takes a type, as far as it is known
    fitting: dict[tuple[int, int], bool] = field(default_factory=dict)
    probing: bool = False
    # pairs of records taken to fit, because they are judged elsewhere in the walk; this ends recursion
    met: set[tuple[int, int]] = field(default_factory=set)
    trail: list[tuple[int, int]] = field(default_factory=list)
    readings: Readings = field(default_factory=Readings)

    @classmethod
    def with_writer(cls, writer: Type) -> Self:
        return cls(written=frozenset(each.name for each, _ in named_types(writer)))

    def types(self, reader: Type, writer: Type, place: Place) -> Iterator[Mismatch]:
        """Yield what of a writer's type the reader's cannot read, and where."""
        match reader, writer:
            case _, Union():
                for index, branch in enumerate(writer.branches):
                    yield from self._branch(reader, branch, place, index)
            case Union(), _:
                yield from self._choose(reader, writer, place, place)
            case Record(), Record():
                yield from self._records(reader, writer, place)
            case Enum(), Enum():
                yield from self._enums(reader, writer, place)
            case Fixed(), Fixed():
                yield from self._names(reader, writer, place)
                yield from _sizes(reader, writer, place)
                yield from _logical(reader, writer, place)
            case Array(), Array():
                yield from self.types(reader.items, writer.items, place.at("items"))
            case Map(), Map():
                yield from self.types(reader.values, writer.values, place.at("values"))
            case Primitive(), Primitive() if promotes(reader, writer):
                yield from _logical(reader, writer, place)
                yield from _promoted(reader, writer, place)
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
        """Judge the branch of the reader's union that takes a type: the same type, or else the first that can."""
        index = self.branch(reader, writer)
        if index is not None:
            if not self.probing:  # a branch that fits has nothing but silent faults
                yield from self.types(reader.branches[index], writer, place.at(index))
            return
        meant = [each for each in enumerate(reader.branches) if _is_meant(each[1], writer)]
        causes: list[Mismatch] = []
        if len(meant) == 1 and not self.probing:
            [(index, branch)] = meant
            causes.extend(self.types(branch, writer, place.at(index)))
        yield Mismatch(Rule.TYPE, missing, str(reader), str(writer), tuple(causes))

    def branch(self, reader: Union, writer: Type) -> int | None:
        """Return the index of the branch that takes a type: the same type, or else the first that can."""
        order = sorted(enumerate(reader.branches), key=lambda each: not _is_same(each[1], writer))
        return next((index for index, branch in order if self._fits(branch, writer)), None)

    def _fits(self, reader: Type, writer: Type) -> bool:
        """Tell whether a branch takes a type; found once for each pair, and assumed while it is being found.

        What rested on such an assumption is found anew if the assumption fails.
        """
        pair = id(reader), id(writer)
        if pair not in self.fitting:
            before = len(self.fitting)
            self.fitting[pair] = True
            probe = replace(self, probing=True, trail=[], readings=Readings())
            fits = all(each.rule.is_silent for each in probe.types(reader, writer, Place()))
            self.met.difference_update(probe.trail)
            if not fits:
                for later in [*self.fitting][before:]:
                    if self.fitting[later]:
                        del self.fitting[later]
                self.fitting[pair] = False
        return self.fitting[pair]

    def _is_new(self, reader: Type, writer: Type) -> bool:
        pair = id(reader), id(writer)
        if pair in self.met:
            return False
        self.met.add(pair)
        self.trail.append(pair)
        return True

    def _enums(self, reader: Enum, writer: Enum, place: Place) -> Iterator[Mismatch]:
        if self._is_new(reader, writer):
            self.readings.enums.append((place, reader, writer))
            yield from self._names(reader, writer, place)
            yield from _symbols(reader, writer, place)

    def _records(self, reader: Record, writer: Record, place: Place) -> Iterator[Mismatch]:
        if not self._is_new(reader, writer):
            return
        yield from self._names(reader, writer, place)
        renames = {} if self.probing else likely_renames(reader, writer)
        for index, each in enumerate(reader.fields):
            here = place.field(index, each.name)
            source = source_of(each, reader, writer)
            self.readings.fields.setdefault(each, []).append((here, writer, source))
            if source is not None:
                yield from self.types(each.type, source.type, here.at("type"))
            elif each.default is NO_DEFAULT or each.name in renames:
                yield _missing(each, renames.get(each.name), here)
            yield from _ambiguous(each, reader, writer, here)

    def _names(self, reader: Named, writer: Named, place: Place) -> Iterator[Mismatch]:
        if not reader.reads(writer):
            yield Mismatch(Rule.NAME, place.at("name"), reader.name, writer.name)
        for alias in reader.aliases:
            if alias != reader.name and {alias, reader.name} <= self.written:
                yield Mismatch(Rule.ALIAS_AMBIGUOUS, place.at("aliases"), reader.name, alias)


def source_of(field: Field, reader: Record, writer: Record) -> Field | None:
    """Return the writer's field that a field is read from: the one of its name, else one that an alias names."""
    own = writer.field(field.name)
    if own is not None:
        return own
    free = (alias for alias in field.aliases if reader.field(alias) is None)
    return next(filter(None, map(writer.field, free)), None)


def _missing(field: Field, renamed: str | None, place: Place) -> Mismatch:
    rule = Rule.FIELD_RENAMED if renamed else Rule.FIELD_MISSING
    if field.default is not NO_DEFAULT:
        rule = Rule.FIELD_DEFAULTED
    return Mismatch(rule, place, field.name, renamed or "")


def _ambiguous(field: Field, reader: Record, writer: Record, place: Place) -> Iterator[Mismatch]:
    """Avro decoders disagree on an alias that is also a name in use: some swap the fields, some fail."""
    for alias in field.aliases:
        in_use = writer.field(field.name) is not None or reader.field(alias) is not None
        if in_use and alias != field.name and writer.field(alias) is not None:
            yield Mismatch(Rule.ALIAS_AMBIGUOUS, place.at("aliases"), field.name, alias)


def _symbols(reader: Enum, writer: Enum, place: Place) -> Iterator[Mismatch]:
    unknown = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
    if unknown:
        rule = Rule.SYMBOLS if reader.default is None else Rule.HIDDEN
        yield Mismatch(rule, place.at("symbols"), str(reader.default), ", ".join(unknown))


def _sizes(reader: Fixed, writer: Fixed, place: Place) -> Iterator[Mismatch]:
    if reader.size != writer.size:
        yield Mismatch(Rule.SIZE, place.at("size"), str(reader.size), str(writer.size))


def _logical(
    reader: Primitive | Fixed, writer: Primitive | Fixed, place: Place
) -> Iterator[Mismatch]:
    rule = change(reader, writer)
    if rule is not None:
        yield Mismatch(rule, place, str(reader.logical or reader), str(writer.logical or writer))


def _promoted(reader: Primitive, writer: Primitive, place: Place) -> Iterator[Mismatch]:
    if (writer.kind, reader.kind) in LOSSY:
        yield Mismatch(Rule.ROUNDED, place, str(reader), str(writer))
    elif (writer.kind, reader.kind) == ("bytes", "string"):
        yield Mismatch(Rule.TEXT, place, str(reader), str(writer))


def promotes(reader: Primitive, writer: Primitive) -> bool:
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
    if type(reader) is not type(writer) or isinstance(reader, Primitive):
        return False
    return not isinstance(reader, Named) or not isinstance(writer, Named) or reader.reads(writer)
