"""Which instance the next call goes to: by load or in turns, and past those that fail."""

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from cdc.logs import FieldLogger
from producers.discovery.instances import Instance

Policy = Literal["least-loaded", "round-robin"]

MOST_EJECTED_S = 60.0
JITTER = 0.2
"""Share by which the time of being left out varies, so that many processes do not come back at once."""

log = FieldLogger(__name__)


class NoInstanceError(Exception):
    """There is no instance to call."""


@dataclass(slots=True)
class Use:
    """One call of an instance. It says nothing of the instance until it is known how it went."""

    instance: Instance
    failed: bool | None = None


@dataclass(slots=True)
class _Member:
    """An instance, and how calls of it went."""

    instance: Instance
    calls: int = 0
    failures: int = 0
    in_flight: int = 0
    in_a_row: int = 0  # failures since the last success
    ejections: int = 0  # since it was well for long
    ejected_until: float = 0.0
    credit: float = 0.0  # of its turns

    @property
    def weight(self) -> int:
        return max(1, self.instance.weight)


class Balancer:
    """Chooses among the instances of a service.

    An instance that failed `eject_after` times in a row is ejected: left out for `eject_s`, twice as long each time
    that it happens again. At least half of the instances stay in, or a later priority does. Until an instance that has
    failed so often succeeds, it gets one call at a time, as a trial.

    Args:
        policy: `least-loaded` draws two at random, by weight, and takes the one with fewer calls under way for its
            weight. `round-robin` takes turns, by weight.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self,
        *,
        policy: Policy = "least-loaded",
        eject_after: int = 3,
        eject_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._choose = _least_loaded if policy == "least-loaded" else _next_turn
        self._eject_after = eject_after
        self._eject_s = eject_s
        self._clock = clock
        self._members: dict[tuple[str, int], _Member] = {}

    def others(self, tried: Collection[Instance]) -> int:
        """Return how many there are besides those."""
        if not tried:
            return len(self._members)
        return sum(each.instance not in tried for each in self._members.values())

    def update(self, instances: Iterable[Instance]) -> None:
        """Have these instances and no others; what is known of those that stay is kept."""
        members: dict[tuple[str, int], _Member] = {}
        for instance in sorted(instances):
            address = instance.host, instance.port
            member = self._members.get(address) or _Member(instance)
            member.instance = instance
            members[address] = member
        self._members = members

    @contextmanager
    def use(self, tried: Collection[Instance] = ()) -> Iterator[Use]:
        """Call an instance within the block, which says how it went.

        Args:
            tried: Those that this was asked of before; they come last.

        Raises:
            NoInstanceError: there is none.
        """
        member = self._pick(tried)
        use = Use(member.instance)
        member.calls += 1
        member.in_flight += 1
        try:
            yield use
        finally:
            member.in_flight -= 1
            if use.failed is not None:
                self._settle(member, failed=use.failed)

    def figures(self) -> Sequence[Mapping[str, object]]:
        """Return what operators see."""
        now = self._clock()
        return [
            {
                "address": str(each.instance),
                "weight": each.instance.weight,
                "priority": each.instance.priority,
                "in_flight": each.in_flight,
                "calls": each.calls,
                "failures": each.failures,
                "ejected_s": round(max(0.0, each.ejected_until - now), 1),
            }
            for each in self._members.values()
        ]

    def _pick(self, tried: Collection[Instance]) -> _Member:
        members = list(self._members.values())
        if len(members) == 1:
            return members[0]
        if not members:
            raise NoInstanceError
        if tried:
            members = [each for each in members if each.instance not in tried] or members
        # where all of them fail, it is spread over all of them
        candidates = [each for each in members if self._takes_calls(each)] or members
        first = min(each.instance.priority for each in candidates)
        return self._choose([each for each in candidates if each.instance.priority == first])

    def _takes_calls(self, member: _Member) -> bool:
        if member.in_a_row < self._eject_after:
            return True
        return not (self._is_ejected(member) or member.in_flight)  # one call at a time, as a trial

    def _is_ejected(self, member: _Member) -> bool:
        return member.ejected_until > self._clock()

    def _settle(self, member: _Member, *, failed: bool) -> None:
        if not failed:
            member.in_a_row = 0
            member.ejected_until = min(member.ejected_until, self._clock())
            return
        member.failures += 1
        member.in_a_row += 1
        if member.in_a_row >= self._eject_after and self._may_eject(member):
            self._eject(member)

    def _may_eject(self, member: _Member) -> bool:
        if self._is_ejected(member) or member is not self._members.get(
            (member.instance.host, member.instance.port)
        ):
            return False
        staying = [
            each
            for each in self._members.values()
            if not self._is_ejected(each) and each is not member
        ]
        priority = member.instance.priority
        if any(each.instance.priority > priority for each in staying):
            return True
        of_its_kind = sum(each.instance.priority == priority for each in self._members.values())
        return sum(each.instance.priority == priority for each in staying) >= of_its_kind / 2

    def _eject(self, member: _Member) -> None:
        now = self._clock()
        if now - member.ejected_until > MOST_EJECTED_S:
            member.ejections = 0
        longest = min(MOST_EJECTED_S, self._eject_s * 2.0 ** min(member.ejections, 10))
        seconds = longest * random.uniform(1 - JITTER, 1)  # noqa: S311 - no secret
        member.ejections += 1
        member.ejected_until = now + seconds
        log.warning(
            "instance ejected",
            instance=member.instance,
            failures=member.in_a_row,
            seconds=f"{seconds:.1f}",
        )


def _least_loaded(members: Sequence[_Member]) -> _Member:
    if len(members) == 1:
        return members[0]
    first = _drawn(members)
    second = _drawn([each for each in members if each is not first])
    return min(first, second, key=lambda each: each.in_flight / each.weight)


def _drawn(members: Sequence[_Member]) -> _Member:
    weights = [each.weight for each in members]
    return random.choices(members, weights)[0]  # noqa: S311 - no secret


def _next_turn(members: Sequence[_Member]) -> _Member:
    """Take turns, smoothly: one that weighs twice as much comes every other time, and not twice in a row."""
    for each in members:
        each.credit += each.weight
    chosen = max(members, key=lambda each: each.credit)
    chosen.credit -= sum(each.weight for each in members)
    return chosen
