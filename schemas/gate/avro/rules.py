"""The ways in which a reader's schema can fail what a writer wrote, and one such failure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from schemas.gate.avro.model import Place


class Rule(Enum):
    """What does not fit. Everything here is said of a reader and a writer; who of them is newer is not known yet."""

    FIELD_MISSING = auto()
    """The writer lacks a field for which the reader has no default."""
    FIELD_RENAMED = auto()
    """The same, and the writer has a field of another name that looks like it."""
    FIELD_DEFAULTED = auto()
    """The reader has a default for a field that the writer lacks, and the writer a field that looks like it."""
    ALIAS_AMBIGUOUS = auto()
    """A field of the reader claims two fields of the writer, by its name and by an alias."""
    TYPE = auto()
    BRANCH = auto()
    """The reader has no place for one type of the writer's union."""
    NAME = auto()
    """A record, an enum or a fixed type has another name, and the reader no alias for it."""
    SYMBOLS = auto()
    """The reader's enum lacks symbols of the writer's and has no default."""
    SIZE = auto()
    SCALE = auto()
    PRECISION = auto()
    """The reader's decimal has fewer digits than the writer's."""
    UNIT = auto()
    """A time or a timestamp is counted in another unit."""
    LOGICAL = auto()
    """Both sides are annotated, with logical types of different kinds."""
    LOGICAL_GAINED = auto()
    """Only the reader is annotated."""
    LOGICAL_LOST = auto()
    """Only the writer is annotated."""
    ROUNDED = auto()
    """Numbers are read as floating point, which has no room for all their digits."""
    TEXT = auto()
    """Bytes are read as a string, and not all bytes are UTF-8."""
    HIDDEN = auto()
    """The reader's enum lacks symbols of the writer's, and takes its default for them."""

    @property
    def is_silent(self) -> bool:
        """Whether the bytes decode all the same, to something that means something else."""
        return self in SILENT


GUESSED = frozenset({Rule.FIELD_DEFAULTED, Rule.HIDDEN})
"""What is wrong only if it came about by a change, and is as it should be between two schemas of any age."""
LEGAL = GUESSED | {Rule.LOGICAL_GAINED, Rule.LOGICAL_LOST, Rule.ROUNDED, Rule.TEXT}
"""What Avro allows without reserve."""
SILENT = LEGAL | {Rule.SCALE, Rule.PRECISION, Rule.UNIT, Rule.LOGICAL}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One reason why a reader cannot read what a writer wrote."""

    rule: Rule
    # where, in the reader's schema; below a union of the writer, by the number of the writer's branch
    place: Place
    reader: str
    writer: str
    # when a branch of the reader's union was meant but does not fit: why it does not
    causes: tuple[Mismatch, ...] = ()
