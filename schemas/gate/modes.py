"""Compatibility modes, and the judgement of a new Avro schema against the older ones of its subject."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from schemas.gate.avro.faults import faults
from schemas.gate.avro.model import Place, Type
from schemas.gate.avro.resolution import check_strictly, quiet_renames
from schemas.gate.avro.rules import Mismatch
from schemas.gate.avro.wording import Change, Side
from schemas.gate.finding import Finding


class Mode(StrEnum):
    """What a subject promises, by the names that schema registries use."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def sides(self) -> tuple[Side, ...]:
        """Who is protected: consumers of the new schema, of the older ones, or both."""
        name = self.value.partition("_")[0]
        both = {"BACKWARD": (Side.BACKWARD,), "FORWARD": (Side.FORWARD,), "FULL": tuple(Side)}
        return both.get(name, ())

    @property
    def is_transitive(self) -> bool:
        """Whether all older versions count and not the latest alone."""
        return self.value.endswith("_TRANSITIVE")


@dataclass(frozen=True, slots=True)
class Version:
    """An older schema of a subject, and what to call it: `version 3`, `main`."""

    label: str
    schema: Type


@dataclass(slots=True)
class _Verdict:
    """Where a change was found, who suffers, and in comparison with which versions."""

    place: Place
    sides: frozenset[Side]
    versions: tuple[str, ...]


def compare(
    subject: str,
    new: Type,
    olds: Sequence[Version],
    mode: Mode,
    *,
    agreed: Type | None = None,
    succeeds: bool = False,
) -> list[Finding]:
    """Return what a new schema breaks, each change once whomever it hurts, and what is wrong with it by itself.

    Args:
        olds: The published ones, oldest first.
        succeeds: Whether the new one takes the place of the latest, so that what one has and the other lacks may have
            been renamed.
        agreed: The schema that is in use; what it broke itself was agreed on, and is not held against the new one.
    """
    against = olds if mode.is_transitive else olds[-1:]
    verdicts: dict[Change, _Verdict] = {}
    for side in mode.sides:
        for old in against:
            is_next = succeeds and old is against[-1]
            mismatches = _mismatches(new, old.schema, side, is_next=is_next)
            found = {Change.of(each, side): each for each in mismatches}
            known = _changes(agreed, old.schema, side) if found and agreed else set()
            for change, mismatch in found.items():
                if change not in known:
                    _note(verdicts, change, mismatch.place, side, old.label)
    findings = [_finding(subject, each, verdicts[each], against, mode) for each in verdicts]
    return findings + faults(subject, new)


def _changes(new: Type, old: Type, side: Side) -> set[Change]:
    return {Change.of(each, side) for each in _mismatches(new, old, side)}


def _mismatches(new: Type, old: Type, side: Side, *, is_next: bool = False) -> Iterator[Mismatch]:
    reader, writer = (new, old) if side is Side.BACKWARD else (old, new)
    for found in check_strictly(reader, writer):
        yield from _innermost(found)
    if is_next:
        yield from quiet_renames(reader, writer)


def _innermost(found: Mismatch) -> Iterator[Mismatch]:
    """Say of a branch that was meant but does not fit why it does not, which is what can be mended."""
    if not found.causes:
        yield found
    for cause in found.causes:
        yield from _innermost(cause)


def _note(
    verdicts: dict[Change, _Verdict], change: Change, place: Place, side: Side, label: str
) -> None:
    known = verdicts.setdefault(change, _Verdict(place, frozenset(), ()))
    known.sides |= {side}
    if label not in known.versions:
        known.versions += (label,)


def _finding(
    subject: str, change: Change, verdict: _Verdict, against: Sequence[Version], mode: Mode
) -> Finding:
    everywhere = len(verdict.versions) == len(against)
    return Finding(
        subject=subject,
        path=str(verdict.place),
        rule=change.phrase.rule,
        problem=change.problem(
            verdict.sides, "" if everywhere else f" ({', '.join(verdict.versions)})"
        ),
        fix=change.fix(verdict.sides, old_readers=Side.FORWARD in mode.sides),
    )
