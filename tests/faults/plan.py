"""Which faults befall which parts, and when: a function of a seed, so that a run can be repeated."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from infra.local.parts import CONSOLE_PART, parts_with
from infra.settings import Publisher

BACKEND = "postgres-backend"
"""One of the processes with which Postgres serves a connection."""

PAIR_SHARE = 0.2
KINDS_ALONE = ("kill", "kill", "kill", "freeze", "freeze", "restart")
KINDS_IN_A_PAIR = ("kill", "kill", "freeze")
SHORTEST_FREEZE_S, LONGEST_FREEZE_S = 1.0, 12.0
"""On both sides of the time after which Kafka gives up a broker, a worker or Connect."""
LONGEST_PAUSE_S = 1.0


class Kind(StrEnum):
    """What is done to a part."""

    KILL = "kill"
    """SIGKILL, as by the kernel when memory is short."""
    FREEZE = "freeze"
    """SIGSTOP and later SIGCONT to all of its processes, as by a suspended machine."""
    RESTART = "restart"
    """Stopped in good order and started again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Args:
        kind: What is done.
        part: To which part, or `BACKEND`.
        hold_s: For how long it stays frozen, in seconds.
        delay_s: How long after the beginning of its step it comes, in seconds.
        choice: From 0 to 1: which of several processes it befalls.
    """

    kind: Kind
    part: str
    hold_s: float = 0.0
    delay_s: float = 0.0
    choice: float = 0.0

    def __str__(self) -> str:
        """Return `freeze kafka for 3.2 s`."""
        held = f" for {self.hold_s:g} s" if self.kind is Kind.FREEZE else ""
        return f"{self.kind} {self.part}{held}"


@dataclass(frozen=True, slots=True)
class Step:
    """Faults within the same second, and the pause before them in seconds."""

    faults: tuple[Fault, ...]
    pause_s: float = 0.0

    def __str__(self) -> str:
        """Return its faults in a line."""
        return " and ".join(map(str, self.faults))


def parts_at_risk(publisher: Publisher) -> tuple[str, ...]:
    """Return the names of everything that faults may befall."""
    return (
        *(part.name for part in parts_with(publisher, "single", optional=[CONSOLE_PART.name])),
        BACKEND,
    )


def plan(seed: int, faults: int, parts: Sequence[str]) -> list[Step]:
    """Return the steps of a run; each part has its turn before one has its next.

    Args:
        seed: Where chance begins.
        faults: How many faults in all; a step of two counts twice.
        parts: What they may befall.
    """
    return list(_Plan(seed, parts).steps(faults))


@dataclass
class _Plan:
    seed: int
    parts: Sequence[str]
    _deck: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - it picks victims

    def steps(self, faults: int) -> Iterator[Step]:
        while faults > 0:
            pair = self._chance.random() < PAIR_SHARE and min(faults, len(self.parts)) > 1
            kinds = KINDS_IN_A_PAIR if pair else KINDS_ALONE
            pause_s = round(self._chance.uniform(0, LONGEST_PAUSE_S), 2)
            first = self._fault(kinds, other_than=None)
            chosen = [first]
            if pair:
                delay_s = round(self._chance.uniform(0, 1), 2)
                chosen.append(self._fault(kinds, other_than=first.part, delay_s=delay_s))
            yield Step(tuple(chosen), pause_s)
            faults -= len(chosen)

    def _fault(
        self, kinds: Sequence[str], *, other_than: str | None, delay_s: float = 0.0
    ) -> Fault:
        part = self._draw(other_than)
        kind = Kind(self._chance.choice(kinds))
        if part == BACKEND and kind is Kind.RESTART:
            kind = Kind.KILL
        hold_s = round(self._chance.uniform(SHORTEST_FREEZE_S, LONGEST_FREEZE_S), 1)
        return Fault(
            kind,
            part,
            hold_s=hold_s if kind is Kind.FREEZE else 0.0,
            delay_s=delay_s,
            choice=self._chance.random(),
        )

    def _draw(self, other_than: str | None) -> str:
        if not [part for part in self._deck if part != other_than]:
            self._deck += self._chance.sample(self.parts, len(self.parts))
        return self._deck.pop(next(i for i, part in enumerate(self._deck) if part != other_than))
