"""The verdict on one event: what its promise forbids, and what falsifies values although Avro allows it."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.gate.avro_model import Type
from schemas.gate.avro_symbols import forgotten
from schemas.gate.avro_wording import Side
from schemas.gate.finding import Finding
from schemas.gate.modes import Mode, Version, compare


def judge(subject: str, new: Type, olds: Sequence[Version], mode: Mode) -> list[Finding]:
    """Return every reason to refuse a schema.

    Args:
        subject: What the findings call it.
        new: The schema that is to be published.
        olds: The published ones, oldest first.
        mode: What the subject promises.
    """
    found = compare(subject, new, olds, mode)
    if Side.BACKWARD in mode.sides:
        found += forgotten(subject, new, olds if mode.is_transitive else olds[-1:])
    return found
