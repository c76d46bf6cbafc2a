"""What changed in the events, field by field, whether it breaks anybody or not."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.gate.avro.model import NO_DEFAULT, Array, Enum, Field, Fixed, Map, Record, Type, Union
from schemas.gate.baseline import Baseline
from schemas.gate.deep import deeply
from schemas.gate.sources import MalformedFileError, document, record, whole
from schemas.gate.tree import AVRO, Files, below, message_of, path_of

Traits = dict[str, str]
"""What there is to say of a field: its type, default, doc, aliases, and the symbols of an enum that it defines."""

MEANINGLESS = frozenset({"doc", "aliases"})
"""Traits that change nothing in what is read from events, but for an alias that is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """What happened to one field."""

    name: str  # its name, with those of the fields around it; empty for the message itself
    kind: str  # `added`, `removed`, `renamed` (by an alias) or `changed`
    was: str | None = None  # name it had before, if it was renamed
    before: Traits
    after: Traits

    @property
    def is_wording(self) -> bool:
        differing = {*self.before, *self.after}
        return self.kind == "changed" and differing <= MEANINGLESS and not self.lost_aliases

    @property
    def lost_aliases(self) -> list[str]:
        before, after = (each.get("aliases", "").split(", ") for each in (self.before, self.after))
        return [each for each in before if each and each not in after]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChange:
    """What happened to one message."""

    subject: str
    # `added`, `removed` or `changed`; `malformed` if it cannot be read, `mended` if it could not be before
    kind: str
    fields: tuple[FieldChange, ...] = ()
    # what is wrong with a malformed one, or was with a mended one, as a clause
    problem: str | None = None


def diff(tree: Files, baseline: Baseline, subject: str | None = None) -> list[MessageChange]:
    """Return what changed in one message or in all."""
    return deeply(lambda: _diff(tree, baseline, subject))


def _diff(tree: Files, baseline: Baseline, subject: str | None) -> list[MessageChange]:
    paths = [path_of(subject)] if subject else sorted(_schemas(tree) | _schemas(baseline.files))
    states = (baseline.files, tree)
    texts = (
        (path, [whole(path, files) if path in files else None for files in states])
        for path in paths
    )
    found = (_message(message_of(path), *both) for path, both in texts)
    return [each for each in found if each is not None]


def between(name: str, before: str | None, after: str | None) -> MessageChange | None:
    """Return what happened to a message from one schema to another, each complete in itself; None where nothing did."""
    return deeply(lambda: _message(name, before, after))


def traits(text: str) -> dict[str, Traits]:
    """Return what there is to say of every field of a message, by its full name within the message."""
    return dict(_record(document(text), record(text), ""))


def _schemas(files: Files) -> set[str]:
    return {AVRO + path for path in below(files, AVRO)}


def _message(name: str, before: str | None, after: str | None) -> MessageChange | None:
    try:
        new = {} if after is None else traits(after)
    except MalformedFileError as error:
        return MessageChange(subject=name, kind="malformed", problem=str(error))
    try:
        old = {} if before is None else traits(before)
    except MalformedFileError as error:
        return MessageChange(subject=name, kind="mended", problem=str(error)) if new else None
    if old == new:
        return None
    kind = "changed" if old and new else "added" if new else "removed"
    return MessageChange(subject=name, kind=kind, fields=tuple(_compare(old, new)))


def _compare(old: Mapping[str, Traits], new: Mapping[str, Traits]) -> Iterator[FieldChange]:
    renamed = _renamed(old, new)
    for name, after in new.items():
        was = renamed.get(name)
        if was is not None:
            before, now = _different(old[was], after)
            yield FieldChange(name=name, kind="renamed", was=was, before=before, after=now)
        elif name not in old:
            yield FieldChange(name=name, kind="added", before={}, after=after)
        elif old[name] != after:
            before, now = _different(old[name], after)
            yield FieldChange(name=name, kind="changed", before=before, after=now)
    for name in old.keys() - new.keys() - set(renamed.values()):
        yield FieldChange(name=name, kind="removed", before=old[name], after={})


def _renamed(old: Mapping[str, Traits], new: Mapping[str, Traits]) -> dict[str, str]:
    found = {}
    for name in new.keys() - old.keys():
        around = name.rpartition(".")[0]
        for alias in filter(None, new[name].get("aliases", "").split(", ")):
            was = f"{around}.{alias}" if around else alias
            if was in old and was not in new:
                found[name] = was
    return found


def _different(old: Traits, new: Traits) -> tuple[Traits, Traits]:
    return (
        {trait: value for trait, value in old.items() if new.get(trait) != value},
        {trait: value for trait, value in new.items() if old.get(trait) != value},
    )


def _record(raw: Any, model: Record, at: str) -> Iterator[tuple[str, Traits]]:
    yield at, {"type": f"record {model.name}"} | _words(raw)
    for field, spec in zip(model.fields, raw["fields"], strict=True):
        name = f"{at}.{field.name}" if at else field.name
        yield name, _field(field, spec)
        for inner, definition in _defined(field.type, spec["type"]):
            if isinstance(inner, Record):
                members = _record(definition, inner, name)
                next(members)  # the record itself: what there is to say of it is said of the field
                yield from members


def _field(field: Field, raw: Any) -> Traits:
    found = {"type": str(field.type)}
    if field.default is not NO_DEFAULT:
        found["default"] = json.dumps(field.default)
    found |= _words(raw)
    for inner, _ in _defined(field.type, raw["type"]):
        match inner:
            case Enum():
                found[f"symbols of {inner.short}"] = ", ".join(inner.symbols)
                if inner.default is not None:
                    found[f"default of {inner.short}"] = inner.default
            case Fixed():
                found[f"size of {inner.short}"] = f"{inner.size} bytes"
            case _:
                pass
    return found


def _words(raw: Any) -> Traits:
    found = {"doc": raw["doc"]} if raw.get("doc") else {}
    return found | ({"aliases": ", ".join(raw["aliases"])} if raw.get("aliases") else {})


def _defined(model: Type, raw: Any) -> Iterator[tuple[Type, Any]]:
    """Yield the named types that a field's type defines, with their documents; not those that it refers to."""
    match model, raw:
        case ((Record() | Enum() | Fixed()), {"type": "record" | "error" | "enum" | "fixed"}):
            yield model, raw
        case Array(), {"items": items}:
            yield from _defined(model.items, items)
        case Map(), {"values": values}:
            yield from _defined(model.values, values)
        case Union(), list():
            for branch, inner in zip(model.branches, raw, strict=True):
                yield from _defined(branch, inner)
        case _, {"type": dict() | list() as inner}:
            yield from _defined(model, inner)
