"""Whether a worker is well, by what is seen of it, of its topics and of its group again and again."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cdc.kafka import Topic, bounds_of, places_of, shares_of
from consumers.runtime.group import Group
from consumers.runtime.lanes import Progress
from consumers.runtime.store import Place

IDLE_LIMIT_S = 20.0
"""How long a partition may be behind with nothing fetched, or held by nobody, before the worker is started again."""
NOTICE_S = 5.0
"""How long that may last before the worker is not ready: rebalances and a slow fetch are nothing to tell of."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a worker.

    Args:
        trouble: What, as a sentence without a full stop; empty when nothing is.
        is_final: It has lasted too long, and a new start may help.
    """

    trouble: str = ""
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """A partition that was seen behind, and did not move since.

    Args:
        position: Where it stood.
        since: When it was first seen so, on the monotonic clock.
    """

    position: int
    since: float


class Judge:
    """Tells whether a worker is well.

    Args:
        limit_s: How long a handler may be at work without anything else being tried, in seconds.
        topics: What the worker reads.
    """

    def __init__(self, limit_s: float, topics: Collection[str]) -> None:
        self._limit_s = limit_s
        self._idle_limit_s = min(IDLE_LIMIT_S, limit_s)
        self._topics = topics
        self.forget()

    def forget(self) -> None:
        """Begin anew, as nothing is known of the time that has passed."""
        self._behind: dict[Place, Sighting] = {}
        self._since: dict[str, float] = {}

    def judge(
        self,
        progress: Mapping[Place, Progress],
        topics: Mapping[str, Topic],
        group: Group,
        now: float,
        *,
        is_taking_over: bool = False,
    ) -> Verdict:
        """Return what is wrong.

        Args:
            progress: How far each partition has come that the worker holds.
            topics: Its topics by name, without those that do not exist.
            group: Its consumer group.
            now: The monotonic clock.
            is_taking_over: It has been given partitions that it does not work on yet, as the database has to be asked.
        """
        ends = {place: bounds.end for place, bounds in bounds_of(topics).items()}
        stalled = self._stalled(progress, ends, now)
        if stalled.is_final:
            return stalled
        missing = sorted(set(self._topics) - set(topics))
        shares = shares_of(topics)
        holds_none = bool(shares) and not progress and not is_taking_over
        lasting = (
            # a new start does not bring a topic back
            self._lasting(
                "topic",
                f"Kafka has no topic {', '.join(missing)}" if missing else "",
                now,
                math.inf,
            ),
            self._lasting("settling", _unsettled(group), now, self._limit_s),
            self._lasting(
                "held",
                _unheld(places_of(topics), group)
                or (_without_share(shares, group) if holds_none else ""),
                now,
                self._idle_limit_s,
            ),
        )
        return next((verdict for verdict in (*lasting, stalled) if verdict.trouble), Verdict())

    def _stalled(
        self, progress: Mapping[Place, Progress], ends: Mapping[Place, int], now: float
    ) -> Verdict:
        """Return which partition is behind while its position does not move and nothing is tried in it.

        That is a fetcher which fetches nothing, or a handler which never returns. A partition that waits for the
        database or the registry, and tries again and again, does not stand still. Nor does one that waits for others
        to have their turn, as long as anything is tried in any of them.
        """
        last = {place: max(lane.tried_at, lane.moved_at) for place, lane in progress.items()}
        newest = max(last.values(), default=0.0)
        self._behind = {
            place: self._sighting(place, progress[place].position, now)
            for place, end in ends.items()
            if place in progress and end > progress[place].position
        }
        notice = Verdict()
        for place, seen in self._behind.items():
            lane = progress[place]
            stood_s = now - max(seen.since, newest if lane.is_queued else last[place])
            is_idle = lane.oldest_ms is None and not lane.is_queued
            trouble = (
                f"{place.topic}/{place.partition} is {ends[place] - seen.position} messages behind and stands still at "
                f"{seen.position} for {stood_s:.0f} s"
            )
            if stood_s > (self._idle_limit_s if is_idle else self._limit_s):
                return Verdict(trouble, is_final=True)
            if stood_s > (min(NOTICE_S, self._idle_limit_s / 2) if is_idle else self._limit_s / 2):
                notice = Verdict(trouble)
        return notice

    def _lasting(self, kind: str, trouble: str, now: float, limit_s: float) -> Verdict:
        """Return a trouble once it has lasted for a while."""
        if not trouble:
            self._since.pop(kind, None)
            return Verdict()
        lasted_s = now - self._since.setdefault(kind, now)
        if lasted_s <= min(NOTICE_S, limit_s / 2):
            return Verdict()
        return Verdict(f"{trouble}, for {lasted_s:.0f} s", is_final=lasted_s > limit_s)

    def _sighting(self, place: Place, position: int, now: float) -> Sighting:
        seen = self._behind.get(place)
        return seen if seen and seen.position == position else Sighting(position, now)


def _unsettled(group: Group) -> str:
    if not group.members:
        return "the consumer group has no member"
    return "" if group.is_stable else "the consumer group is being rebalanced"


def _unheld(places: Collection[Place], group: Group) -> str:
    """Return what nobody holds."""
    unheld = sorted(set(places) - group.held) if group.is_stable else []
    if not unheld:
        return ""
    first = f"{unheld[0].topic}/{unheld[0].partition}"
    more = f" and {len(unheld) - 1} more" if len(unheld) > 1 else ""
    return f"no member of the consumer group holds {first}{more}"


def _without_share(shares: int, group: Group) -> str:
    """Return what is wrong when this worker holds nothing, which one member more than there are shares may."""
    if not group.is_stable or len(group.members) > shares:
        return ""
    return f"the worker holds no partition, although there are {shares} for {len(group.members)} members of its group"
