"""Guesses which missing field was renamed, so that the gate can speak of a rename."""

from difflib import SequenceMatcher

from schemas.gate.avro.model import Field, Record

SIMILAR = 0.6
"""Share of letters in common from which two names count as alike: `total` and `total_amount`, not `note` and `city`."""

MOST_PAIRS = 2500
"""Most pairs of names that are compared, letter by letter; beyond that many the fields were replaced, not renamed."""


def likely_renames(reader: Record, writer: Record) -> dict[str, str]:
    """Return, for fields the writer lacks, the name under which the writer probably has them.

    A pair qualifies when neither side knows the other's name, both have the same type, and they stand at the same
    position or have similar names. An alias of the writer settles it.
    """
    read = {name for field in reader.fields for name in (field.name, *field.aliases)}
    spare = [field for field in writer.fields if field.name not in read]
    orphans = [field for field in reader.fields if not _is_read(field, writer)] if spare else []
    if len(orphans) * len(spare) > MOST_PAIRS:
        return {}
    renames: dict[str, str] = {}
    for orphan in orphans:
        scored = [(_likeness(orphan, each, reader, writer), each) for each in spare]
        score, best = max(scored, key=lambda pair: pair[0], default=(0.0, None))
        if best is not None and score >= SIMILAR:
            renames[orphan.name] = best.name
            spare.remove(best)
    return renames


def _is_read(field: Field, writer: Record) -> bool:
    return any(writer.field(name) is not None for name in (field.name, *field.aliases))


def _likeness(orphan: Field, candidate: Field, reader: Record, writer: Record) -> float:
    if str(orphan.type) != str(candidate.type):
        return 0.0
    if orphan.name in candidate.aliases:
        return 2.0
    if reader.fields.index(orphan) == writer.fields.index(candidate):
        return 1.0
    return SequenceMatcher(None, orphan.name, candidate.name).ratio()
