"""Who reads what changed, and what the change means to them."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.gate.baseline import Baseline
from schemas.gate.catalogued import Promises
from schemas.gate.deep import deeply
from schemas.gate.diff import FieldChange, MessageChange, Traits, diff, traits
from schemas.gate.pinned import unreadable
from schemas.gate.sources import MalformedFileError, record, whole
from schemas.gate.tree import READERS, SUFFIXES, Files, path_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the change of one field means to one consumer."""

    consumer: str
    pins: bool  # whether it pins a schema of its own for the message; else it reads the whole of it
    reads: bool
    # whether, as it is deployed now, it fails or is misled by events written from now on
    breaks: bool
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """One changed field of a message on a topic, and its effects."""

    subject: str
    topic: str
    field: FieldChange
    effects: tuple[Effect, ...]


def impact(tree: Files, baseline: Baseline) -> list[Impact]:
    """Return every changed field with what it means to each consumer of its topic.

    A consumer that pins no schema reads the one it was deployed with, which is the baseline's.
    """
    return deeply(lambda: _impact(tree, baseline))


def _impact(tree: Files, baseline: Baseline) -> list[Impact]:
    declared = (Promises.of(tree), Promises.of(baseline.files))
    found = []
    for change in diff(tree, baseline):
        said = next((each for each in declared if each.topics_of(change.subject)), declared[0])
        by_topic = {
            topic: [
                _Consumer(name, change, tree, baseline)
                for name in said.consumers(change.subject, topic)
            ]
            for topic in said.topics_of(change.subject)
        }
        found += [
            Impact(
                subject=change.subject,
                topic=topic,
                field=field,
                effects=tuple(consumer.effect(field) for consumer in consumers),
            )
            for field in _fields(change)
            if not field.is_wording and (change.kind == "changed" or not field.name)
            for topic, consumers in (by_topic or {"no topic": []}).items()
        ]
    return found


def _fields(change: MessageChange) -> tuple[FieldChange, ...]:
    """Return what happened to the fields of a message; of one that cannot be compared, that it is so."""
    if change.problem is None:
        return change.fields
    return (FieldChange(name="", kind=change.kind, before={}, after={}),)


class _Consumer:
    """What one consumer reads of a message that changed."""

    def __init__(self, name: str, change: MessageChange, tree: Files, baseline: Baseline) -> None:
        self._name = name
        self._change = change
        pinned = tree.get(f"{READERS}{name}/{change.subject}{SUFFIXES[READERS]}")
        self._pins = pinned is not None
        path = path_of(change.subject)
        text = (
            pinned
            if self._pins
            else (whole(path, baseline.files) if path in baseline.files else None)
        )
        now = whole(path, tree) if path in tree else None
        self._fields: dict[str, Traits] = {}
        self._broken: dict[str, str] = {}
        self._unknown = _UNKNOWN.get(change.kind)
        if self._unknown or text is None:
            return
        try:
            self._fields = traits(text)
            self._broken = dict(_broken(change.subject, now, text)) if now else {}
        except MalformedFileError as error:
            self._unknown = (
                f"what it means to it is unknown, for the schema it pins is malformed: {error}"
            )

    def effect(self, field: FieldChange) -> Effect:
        before = field.was or field.name
        reads = before in self._fields
        broken = self._broken.get(before) or self._broken.get(field.name)
        return Effect(
            consumer=self._name,
            pins=self._pins,
            reads=reads,
            breaks=broken is not None,
            meaning=self._unknown or broken or self._meaning(field, self._fields.get(before)),
        )

    def _meaning(self, field: FieldChange, known: Traits | None) -> str:
        if self._change.kind != "changed":
            return (
                "needs a handler for it" if self._change.kind == "added" else "gets no more of it"
            )
        if known is None and field.kind != "added":
            return "pins a schema without it, and notices nothing"
        match field.kind:
            case "added" if self._pins and known is None:
                return "pins a schema without it, and passes it over until it is added there"
            case "added":
                return "passes it over until it is deployed with the new schema"
            case "removed":
                default = known.get("default") if known else None
                return f"gets the default {default} from now on"
            case _:
                return _changed(field, pins=self._pins)


def _changed(field: FieldChange, *, pins: bool) -> str:
    other = [] if pins else [*_read_otherwise(field)]
    if not other:
        return "reads what is written before and after alike"
    return f"{' and '.join(other)}, once it is deployed with the new schema"


def _read_otherwise(field: FieldChange) -> Iterator[str]:
    """Yield what events come to say by another default, or without an alias."""
    for trait, after in field.after.items():
        what, _, enum = trait.partition(" of ")
        if what == "default" and trait in field.before:
            where = (
                f"for symbols of {enum} that it does not know" if enum else "in events that lack it"
            )
            yield f"reads {after} instead of {field.before[trait]} {where}"
    if field.lost_aliases:
        yield f"finds nothing in events that call it {' or '.join(field.lost_aliases)}"


_UNKNOWN = {
    "malformed": "what it means to it is unknown, for the schema is malformed",
    "mended": "what it means to it is unknown, for the schema was malformed before",
}


def _broken(name: str, now: str, read: str) -> Iterator[tuple[str, str]]:
    """Yield the fields that a consumer's schema cannot read of what is written from now on, and why."""
    for found in unreadable(name, record(now), record(read)):
        yield found.path.partition(" ")[2], found.problem
