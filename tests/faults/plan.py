"""Which faults befall which parts, and when: a function of a seed, so that a run can be repeated."""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate

from infra.local.parts import (
    CONNECT_OF_A_CLUSTER,
    CONSOLE_PART,
    KAFKA_OF_A_CLUSTER,
    PARTS,
    RELAY,
    SECOND_WORKERS,
    SHARED,
    parts_with,
)
from infra.settings import Publisher
from infra.shapes import POSTGRES, Shape

BACKEND = "postgres-backend"
"""One of the processes with which Postgres serves a connection."""
PRIMARY, STANDBY = "primary", "standby"
"""The servers of Postgres in a cluster, by what they are when the fault comes."""
SLOT = "slot"
"""What Postgres keeps for the connector."""

PAIR_SHARE = 0.2
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
    LOSE = "lose"
    """Killed, and not there again until effects flow without it; another one takes over by itself, or by command."""
    WIPE = "wipe"
    """Lost, with its disk."""
    DROP = "drop"
    """Dropped by an administrator; a command makes it anew."""
    FILL = "fill"
    """Its disk takes nothing more for a while."""
    CUT = "cut"
    """Nobody reaches it over the network for a while; it reaches others."""
    SLOW = "slow"
    """Some of the packets to it are lost for a while, so that each question to it takes longer."""


Kinds = tuple[Kind, ...]
"""Kinds that chance chooses from, each as often as it is to be chosen."""
Targets = Mapping[str, Kinds]
"""What faults may befall, with those that may befall it."""

USUAL: Kinds = (Kind.KILL,) * 3 + (Kind.FREEZE,) * 2 + (Kind.RESTART,)
OF_A_BACKEND: Kinds = (Kind.KILL,) * 3 + (Kind.FREEZE,) * 2 + (Kind.KILL,)
IN_A_PAIR: Kinds = (Kind.KILL, Kind.KILL, Kind.FREEZE)
"""What two parts within a second may bear: of three brokers, two may not be lost."""
ONE_OF_SEVERAL: Kinds = (*USUAL, *(Kind.LOSE,) * 4)
WITH_A_DISK: Kinds = (*USUAL, *(Kind.LOSE,) * 3, *(Kind.WIPE,) * 3, *(Kind.FILL,) * 2)
OF_A_NETWORK: Kinds = (Kind.CUT, Kind.CUT, Kind.SLOW)
HELD = frozenset({Kind.FREEZE, Kind.FILL, *OF_A_NETWORK})
"""Faults that last for a while."""
SPARED = (*CONNECT_OF_A_CLUSTER, *RELAY, SHARED, SECOND_WORKERS, "registry")
"""Parts of a cluster without which work goes on."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Args:
        kind: What is done.
        target: To what: a part, or another thing that has a name here.
        hold_s: For how long it stays so, in seconds, if it is of a kind that lasts.
        delay_s: How long after the beginning of its step it comes, in seconds.
        choice: From 0 to 1: which of several processes it befalls.
    """

    kind: Kind
    target: str
    hold_s: float = 0.0
    delay_s: float = 0.0
    choice: float = 0.0

    def __str__(self) -> str:
        """Return `freeze kafka for 3.2 s`."""
        held = f" for {self.hold_s:g} s" if self.kind in HELD else ""
        return f"{self.kind} {self.target}{held}"


@dataclass(frozen=True, slots=True)
class Step:
    """Faults within the same second, and the pause before them in seconds."""

    faults: tuple[Fault, ...]
    pause_s: float = 0.0

    def __str__(self) -> str:
        """Return its faults in a line."""
        return " and ".join(map(str, self.faults))


def with_network(targets: Targets) -> Targets:
    """Return the same, with what may befall a network where something listens."""
    deaf = {BACKEND, SLOT, *(part.name for part in PARTS if not part.ports)}
    return {
        name: kinds if name in deaf else (*kinds, *OF_A_NETWORK) for name, kinds in targets.items()
    }


def at_risk(publisher: Publisher, shape: Shape = "single") -> Targets:
    """Return everything that faults may befall in a stack; the consumers of a cluster share processes."""
    parts = parts_with(publisher, shape, optional=[CONSOLE_PART.name])
    if shape == "single":
        return {part.name: USUAL for part in parts} | {BACKEND: OF_A_BACKEND}
    names = dict.fromkeys(
        SHARED if part.may_share else part.name
        for part in parts
        if part.name not in POSTGRES["cluster"]
    )
    return {
        **{name: _kinds_in_a_cluster(name) for name in names},
        BACKEND: OF_A_BACKEND,
        PRIMARY: WITH_A_DISK,
        STANDBY: WITH_A_DISK,
        **({SLOT: (Kind.DROP,)} if publisher == "cdc" else {}),
    }


def _kinds_in_a_cluster(name: str) -> Kinds:
    if name in KAFKA_OF_A_CLUSTER:
        return WITH_A_DISK
    return ONE_OF_SEVERAL if name in SPARED else USUAL


def plan(seed: int, faults: int, targets: Targets) -> list[Step]:
    """Return the steps of a run; each target has its turn before one has its next.

    Args:
        seed: Where chance begins.
        faults: How many faults in all; a step of two counts twice.
        targets: What they may befall.
    """
    return list(_Plan(seed, targets).steps(faults))


def after(steps: Sequence[Step], faults: int) -> list[Step]:
    """Return the steps that come after a number of faults."""
    done = accumulate((len(step.faults) for step in steps), initial=0)
    return [step for step, before in zip(steps, done, strict=False) if before >= faults]


@dataclass
class _Plan:
    seed: int
    targets: Targets
    _deck: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - it picks victims
        self._in_pairs = {
            name for name, kinds in self.targets.items() if set(IN_A_PAIR) <= set(kinds)
        }

    def steps(self, faults: int) -> Iterator[Step]:
        while faults > 0:
            pair = self._chance.random() < PAIR_SHARE and min(faults, len(self._in_pairs)) > 1
            pause_s = round(self._chance.uniform(0, LONGEST_PAUSE_S), 2)
            if not pair:
                chosen = [self._fault(self._draw(self.targets))]
            else:
                first = self._draw(self._in_pairs)
                chosen = [self._fault(first, IN_A_PAIR)]
                delay_s = round(self._chance.uniform(0, 1), 2)
                other = self._draw(self._in_pairs - {first})
                chosen.append(self._fault(other, IN_A_PAIR, delay_s=delay_s))
            yield Step(tuple(chosen), pause_s)
            faults -= len(chosen)

    def _fault(self, target: str, kinds: Kinds = (), delay_s: float = 0.0) -> Fault:
        kind = self._chance.choice(kinds or self.targets[target])
        hold_s = round(self._chance.uniform(SHORTEST_FREEZE_S, LONGEST_FREEZE_S), 1)
        return Fault(
            kind,
            target,
            hold_s=hold_s if kind in HELD else 0.0,
            delay_s=delay_s,
            choice=self._chance.random(),
        )

    def _draw(self, suited: Collection[str]) -> str:
        if not any(name in suited for name in self._deck):
            self._deck += self._chance.sample(list(self.targets), len(self.targets))
        return self._deck.pop(next(i for i, name in enumerate(self._deck) if name in suited))
