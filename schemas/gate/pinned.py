"""The gate for readers: whether a consumer's schema reads what is in its topic and what is written from now on."""

from collections.abc import Sequence

from schemas.gate.avro.faults import faults
from schemas.gate.avro.model import Record
from schemas.gate.defaults import misread
from schemas.gate.finding import Finding
from schemas.gate.modes import Mode, Version, compare


def unreadable(
    subject: str, written: Record, reader: Record, *, agreed: Record | None = None
) -> list[Finding]:
    """Return what a reader cannot read of what a schema writes; places are those of the reader.

    Args:
        agreed: The schema that they are written with already; what of it the reader cannot read was agreed on.
    """
    by_itself = faults(subject, written)
    found = compare(subject, written, [Version("", reader)], Mode.FORWARD, agreed=agreed)
    return [each for each in found if each not in by_itself]


def unfillable(
    subject: str,
    reader: Record,
    olds: Sequence[Version],
    promise: Mode,
    *,
    agreed: Record | None = None,
) -> list[Finding]:
    """Return what a reader misses in older events, and what is wrong with it by itself.

    Args:
        olds: The schemas that events were written with, oldest first.
        promise: What the message promises, which says how far back its events are read.
        agreed: The reader's schema that is in use; what it misses was agreed on, and what it takes for missing is what
            events mean.
    """
    if promise is Mode.NONE:
        return faults(subject, reader)
    against = olds if promise.is_transitive else olds[-1:]
    found = compare(subject, reader, against, Mode.BACKWARD_TRANSITIVE, agreed=agreed)
    return found + misread(subject, reader, against, [agreed] if agreed else [])
