"""Finds what older events come to say although nobody wrote it: by another default, or by an alias that is gone.

A reader takes its default for a field that an event lacks, so that a default is part of what such events mean. What
they meant until now is what the latest schema that had the field makes of them.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from schemas.datum import DatumReader, DatumWriter
from schemas.defaults import default_of
from schemas.gate.avro.model import NO_DEFAULT, Field, Place, Record, Type
from schemas.gate.avro.resolution import Readings, readings
from schemas.gate.finding import Finding
from schemas.gate.modes import Version


def misread(
    subject: str, new: Type, olds: Sequence[Version], readers: Sequence[Type]
) -> list[Finding]:
    """Return a finding for each field and each enum by which events are taken for something else than before.

    Args:
        olds: The schemas that the events were written with.
        readers: Those that they were read with until now, latest first.
    """
    judgement = _Judgement(new, readers)
    lacking: dict[_Misreading, list[str]] = {}
    for old in olds:
        for each in dict.fromkeys(judgement.fields(old.schema)):
            lacking.setdefault(each, []).append(old.label)
    return [
        *(each.finding(subject, labels) for each, labels in lacking.items()),
        *(each.finding(subject, []) for each in judgement.enums()),
    ]


@dataclass(frozen=True, slots=True)
class _Misreading:
    place: Place
    rule: str
    what: str
    fix: str

    def finding(self, subject: str, labels: Sequence[str]) -> Finding:
        where = f" ({', '.join(labels)})" if any(labels) else ""
        problem = f"{self.what}, and no error tells{where}"
        return Finding(
            subject=subject, path=str(self.place), rule=self.rule, problem=problem, fix=self.fix
        )


@dataclass(slots=True)
class _Judgement:
    """Compares what a schema makes of events with what its readers made of them."""

    new: Type
    readers: Sequence[Type]
    known: dict[tuple[int, int], Readings] = field(default_factory=dict)

    def fields(self, old: Type) -> Iterator[_Misreading]:
        """Yield the fields that a schema lacks, and that were read from it otherwise."""
        for each, found in self._readings(self.new, old).fields.items():
            for place, record, source in found:
                if source is None and each.default is not NO_DEFAULT:
                    for was, taken in self._before(each, old, record):
                        yield from _differing(each, was, taken, place)

    def enums(self) -> Iterator[_Misreading]:
        """Yield the enums that take another symbol for those that they do not know."""
        latest = self._readings(self.new, self.readers[0]).enums if self.readers else ()
        for place, new, was in latest:
            if new.default and was.default and new.default != was.default:
                yield _Misreading(
                    place.at("default"),
                    "default-changed",
                    f"the default symbol was changed from {was.default} to {new.default}; a consumer takes symbols "
                    f"that it does not know for {new.default} now",
                    f"Make {was.default} the default again",
                )

    def _before(
        self, sought: Field, old: Type, record: Record
    ) -> Iterator[tuple[Field, Field | None]]:
        """Yield the field of the latest reader that had it, with the field of the old record that it was read from."""
        for reader in self.readers:
            sources = self._readings(self.new, reader).fields.get(sought, ())
            if had := [source for _, _, source in sources if source is not None]:
                for was in had:
                    found = self._readings(reader, old).fields.get(was, ())
                    yield from ((was, taken) for _, within, taken in found if within is record)
                return

    def _readings(self, reader: Type, writer: Type) -> Readings:
        pair = id(reader), id(writer)
        if pair not in self.known:
            self.known[pair] = readings(reader, writer)
        return self.known[pair]


def _differing(new: Field, was: Field, taken: Field | None, place: Place) -> Iterator[_Misreading]:
    """Yield what a field that is filled with its default comes to mean, where it meant something else."""
    if taken is not None:
        yield _Misreading(
            place,
            "alias-removed",
            f"no longer known as {taken.name}; a consumer that reads old events takes the default "
            f"{json.dumps(new.default)} for what they have in {taken.name}",
            f"Give it the alias {taken.name} again",
        )
    elif was.default is not NO_DEFAULT and _is_other(new, was):
        before, now = _told(was, new)
        yield _Misreading(
            place.at("default"),
            "default-changed",
            f"the default was changed from {before} to {now}; a consumer that reads old events takes {now} for what "
            f"meant {before}",
            f"Make {before} the default again, and have whoever means {now} write it",
        )


def _is_other(new: Field, was: Field) -> bool:
    """Whether a default, written with its own type and read with the new one, is another value than the new default."""
    try:
        return _as_read(was, new.type) != _as_read(new, new.type)
    except (ValueError, ArithmeticError):
        return False  # one of them is no value of its type, or cannot be read: that is told of it elsewhere


def _as_read(given: Field, reader: Type) -> object:
    writes, reads = _alone(given.type), _alone(reader)
    data = DatumWriter(writes).write({"it": default_of(given.type, given.default, tagged=True)})
    return DatumReader(writes, reads, tagged=True).read(data)["it"]


def _alone(type_: Type) -> Record:
    alone = Record(name="Default")
    alone.complete([Field(name="it", type=type_)])
    return alone


def _told(*fields: Field) -> list[str]:
    """Return defaults as they stand there; where that is the same, with what their records have defaults for."""
    told = [json.dumps(each.default) for each in fields]
    if len(set(told)) > 1:
        return told
    return [json.dumps(default_of(each.type, each.default), default=str) for each in fields]
