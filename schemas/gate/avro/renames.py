"""Guesses which missing field was renamed, so that the gate can speak of a rename."""

from difflib import SequenceMatcher

from schemas.gate.avro.model import NO_DEFAULT, Field, Record, Type, Union, type_name

SIMILAR = 0.6
"""Share of letters in common from which two names count as alike: `total` and `total_amount`, not `note` and `city`."""

MOST_PAIRS = 2500
"""Most pairs of names that are compared, letter by letter; beyond that many the fields were replaced, not renamed."""


def likely_renames(reader: Record, writer: Record) -> dict[str, str]:
    """Return, for fields the writer lacks, the name under which the writer probably has them.

    A pair qualifies when neither side knows the other's name, both have the same type, and they stand at the same
    position or have similar names. If the reader has a default, so that it may do without, two of three must agree:
    position, name, and what the docs say. An alias of the writer settles it.
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
    if not _has_type_of(orphan, candidate):
        return 0.0
    if orphan.name in candidate.aliases:
        return 2.0
    alike = SequenceMatcher(None, orphan.name, candidate.name).ratio()
    same_place = reader.fields.index(orphan) == writer.fields.index(candidate)
    if orphan.default is NO_DEFAULT:
        return 1.0 if same_place else alike
    agreeing = [same_place, alike >= SIMILAR, orphan.doc == candidate.doc]
    return sum(agreeing) / 3 if sum(agreeing) > 1 else 0.0


def _has_type_of(orphan: Field, candidate: Field) -> bool:
    """Whether both hold the same values; one that has a default may have come to be optional besides."""
    if NO_DEFAULT is orphan.default is candidate.default:
        return str(orphan.type) == str(candidate.type)
    return _but_null(orphan.type) == _but_null(candidate.type)


def _but_null(schema: Type) -> list[str]:
    branches = schema.branches if isinstance(schema, Union) else (schema,)
    return [str(each) for each in branches if type_name(each) != "null"]
