"""The verdict on one event: what its promise forbids, and what falsifies values although Avro allows it."""

from collections.abc import Sequence

from schemas.gate.avro.model import Type
from schemas.gate.avro.symbols import forgotten
from schemas.gate.avro.wording import Side
from schemas.gate.defaults import misread
from schemas.gate.finding import Finding
from schemas.gate.modes import Mode, Version, compare


def judge(subject: str, new: Type, olds: Sequence[Version], mode: Mode) -> list[Finding]:
    """Return every reason to refuse a schema. What the latest published one broke already is none."""
    latest = olds[-1].schema if olds else None
    found = compare(subject, new, olds, mode, agreed=latest, succeeds=True)
    if Side.BACKWARD in mode.sides:
        against = olds if mode.is_transitive else olds[-1:]
        found += forgotten(subject, new, [each for each in against if _forgets(new, latest, each)])
        found += misread(subject, new, against, [each.schema for each in reversed(against)])
    return found


def _forgets(new: Type, latest: Type | None, old: Version) -> bool:
    lost = [each.problem for each in forgotten("", new, [old])]
    return bool(lost) and lost != (
        [each.problem for each in forgotten("", latest, [old])] if latest else []
    )
