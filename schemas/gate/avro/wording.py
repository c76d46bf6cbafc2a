"""Says in sentences what a change breaks: what was changed, who suffers in which direction, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from schemas.gate.avro.rules import Mismatch, Rule

READS_OLD = "reads old events"
HAS_OLD = "still has the old schema"
BESIDE = "Keep {old}, or put the {new} into a new field with a default"
LATE_ALIAS = "an alias helps only consumers that have the new schema"


class Side(Enum):
    """Who reads what: the new schema the events of the old one, or the other way round."""

    BACKWARD = auto()
    FORWARD = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """How one kind of change is reported. `{old}` and `{new}` stand for what the two schemas have there."""

    rule: str
    what: str
    backward: str = ""  # what happens to consumers of the new schema that read old events
    forward: str = ""  # what happens to consumers of the old schema that read new events
    fix: str  # what to do; it serves whoever suffers
    fix_backward: str | None = None  # what suffices when only consumers of the new schema suffer


ADDED = Phrase(
    rule="field-added-without-default",
    what="added without a default",
    backward="cannot fill it",
    fix="Give it a default",
)
REMOVED = Phrase(
    rule="field-removed-without-default",
    what="removed, though it had no default",
    forward="cannot fill it",
    fix="Put it back; only a field that has a default in every older schema can go",
)
RENAMED = Phrase(
    rule="field-renamed",
    what="renamed from {old} to {new}",
    backward="finds no {new}",
    forward="finds no {old}",
    fix=f"Put {{old}} back and add {{new}} beside it with a default; {LATE_ALIAS}",
    fix_backward="Give it the alias {old}; if it is another field, a default, and take {old} away in a later change",
)
TYPE = Phrase(
    rule="type-changed",
    what="changed from {old} to {new}",
    backward="cannot take {old} for {new}",
    forward="cannot take {new} for {old}",
    fix=BESIDE,
)
BRANCH_REMOVED = Phrase(
    rule="union-branch-removed",
    what="no longer allows {old}",
    backward="cannot read those that have it",
    fix="Allow {old} again",
)
BRANCH_ADDED = Phrase(
    rule="union-branch-added",
    what="now allows {new}",
    forward="cannot read it",
    fix="Take {new} out, or allow it in a new field with a default",
)
TYPE_RENAMED = Phrase(
    rule="type-renamed",
    what="type renamed from {old} to {new}",
    backward="does not recognise {old}",
    forward="does not recognise {new}",
    fix=f"Keep the name {{old}}; {LATE_ALIAS}",
    fix_backward="Give {new} the alias {old}",
)
SYMBOLS_REMOVED = Phrase(
    rule="enum-symbol-removed",
    what="symbols removed: {old}",
    backward="cannot read them",
    fix="Put them back, or give the enum a default symbol",
)
SYMBOLS_ADDED = Phrase(
    rule="enum-symbol-added",
    what="symbols added: {new}",
    forward="cannot read them, for its enum has no default",
    fix="Take them out; an enum can grow only if every older schema gives it a default symbol",
)
SIZE = Phrase(
    rule="fixed-size-changed",
    what="changed from {old} to {new} bytes",
    backward="cannot read {old} bytes",
    forward="cannot read {new} bytes",
    fix="Keep {old} bytes, or put the others into a new field with a default",
)
ALIAS = Phrase(
    rule="alias-ambiguous",
    what="the name {new} and the alias {old} are both fields of the other schema",
    backward="gets either, for decoders disagree",
    forward="gets either, for decoders disagree",
    fix="Take the alias away",
)
SCALE = Phrase(
    rule="decimal-scale-changed",
    what="changed from {old} to {new}",
    backward="may read amounts with the point in the wrong place, and no error tells",
    forward="may read amounts with the point in the wrong place, and no error tells",
    fix=BESIDE,
)
PRECISION_REDUCED = Phrase(
    rule="decimal-precision-reduced",
    what="changed from {old} to {new}",
    backward="meets numbers with more digits than it provides for",
    fix="Keep {old}",
)
PRECISION_RAISED = Phrase(
    rule="decimal-precision-raised",
    what="changed from {old} to {new}",
    forward="meets numbers with more digits than it provides for",
    fix=BESIDE,
)
UNIT = Phrase(
    rule="time-unit-changed",
    what="changed from {old} to {new}",
    backward="may read other times than were meant, and no error tells",
    forward="may read other times than were meant, and no error tells",
    fix=BESIDE,
)
LOGICAL = Phrase(
    rule="logical-type-changed",
    what="changed from {old} to {new}",
    backward="takes one for the other, and no error tells",
    forward="takes one for the other, and no error tells",
    fix=BESIDE,
)
ANNOTATED = Phrase(
    rule="logical-type-added",
    what="changed from {old} to {new}",
    backward="takes any {old} for {new}",
    forward="no longer knows what the {old} means",
    fix=BESIDE,
)
ROUNDED = Phrase(
    rule="number-rounded",
    what="changed from {old} to {new}",
    backward="reads large {old} numbers rounded, or not at all",
    forward="reads large {new} numbers rounded, or not at all",
    fix=BESIDE,
)
TEXT = Phrase(
    rule="bytes-read-as-string",
    what="changed from {old} to {new}",
    backward="cannot read those that are no UTF-8, or gets other characters",
    forward="cannot read those that are no UTF-8, or gets other characters",
    fix=BESIDE,
)
BARED = Phrase(
    rule="logical-type-dropped",
    what="changed from {old} to {new}",
    backward="no longer knows what the {new} means",
    forward="takes any {new} for {old}",
    fix="Keep {old}",
)

PHRASES: dict[Rule, tuple[Phrase, Phrase]] = {
    Rule.FIELD_MISSING: (ADDED, REMOVED),
    Rule.FIELD_RENAMED: (RENAMED, RENAMED),
    Rule.FIELD_DEFAULTED: (RENAMED, RENAMED),
    Rule.ALIAS_AMBIGUOUS: (ALIAS, ALIAS),
    Rule.TYPE: (TYPE, TYPE),
    Rule.BRANCH: (BRANCH_REMOVED, BRANCH_ADDED),
    Rule.NAME: (TYPE_RENAMED, TYPE_RENAMED),
    Rule.SYMBOLS: (SYMBOLS_REMOVED, SYMBOLS_ADDED),
    Rule.SIZE: (SIZE, SIZE),
    Rule.SCALE: (SCALE, SCALE),
    Rule.PRECISION: (PRECISION_REDUCED, PRECISION_RAISED),
    Rule.UNIT: (UNIT, UNIT),
    Rule.LOGICAL: (LOGICAL, LOGICAL),
    Rule.LOGICAL_GAINED: (ANNOTATED, BARED),
    Rule.LOGICAL_LOST: (BARED, ANNOTATED),
    Rule.ROUNDED: (ROUNDED, ROUNDED),
    Rule.TEXT: (TEXT, TEXT),
}
"""What a mismatch is called when the new schema reads the old, and when the old reads the new."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change that breaks somebody, seen from the change and no longer from a reader; equal from both sides."""

    phrase: Phrase
    names: str
    old: str
    new: str

    @classmethod
    def of(cls, found: Mismatch, side: Side) -> Change:
        backward, forward = PHRASES[found.rule]
        renamed, names = backward is RENAMED, found.place.names
        names = names.rpartition(".")[0] if renamed else names  # the field's own differs by side
        if side is Side.BACKWARD:
            return cls(backward, names, found.writer, found.reader)
        return cls(forward, names, found.reader, found.writer)

    def problem(self, sides: frozenset[Side], where: str) -> str:
        backward = self.phrase.backward if Side.BACKWARD in sides else ""
        forward = self.phrase.forward if Side.FORWARD in sides else ""
        if backward == forward:
            suffering = f"a consumer that {READS_OLD} or {HAS_OLD} {backward}"
        else:
            who = ((READS_OLD, backward), (HAS_OLD, forward))
            suffering = ", and ".join(f"a consumer that {each} {how}" for each, how in who if how)
        return self._fill(f"{self.phrase.what}; {suffering}{where}")

    def fix(self, sides: frozenset[Side], *, old_readers: bool) -> str:
        lenient = self.phrase.fix_backward
        only_backward = Side.FORWARD not in sides and not old_readers
        return self._fill(lenient if lenient and only_backward else self.phrase.fix)

    def _fill(self, template: str) -> str:
        return template.format(old=self.old, new=self.new)
