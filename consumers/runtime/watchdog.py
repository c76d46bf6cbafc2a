"""Watches over a worker from a thread of its own: alive is who makes progress.

What it knows of the ends of partitions comes from a Kafka client of its own: the worker's may be what stands still.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from consumers.runtime.lanes import Progress
from consumers.runtime.store import Place

LOOK_EVERY_S = 5.0
TIMEOUT_S = 5.0

log = logging.getLogger(__name__)


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
    """Tells whether a worker stands still, from what is seen of it again and again.

    Args:
        limit_s: How long a partition may be behind without anything being tried, in seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._behind: dict[Place, Sighting] = {}
        self._groupless_since: float | None = None

    def stalled(
        self, progress: Mapping[Place, Progress], ends: Mapping[Place, int], now: float
    ) -> str | None:
        """Return what stands still, None when nothing does.

        A partition stands still that is behind while its position does not move and nothing is tried in it: a fetcher
        that fetches nothing, a handler that never returns. One that waits for the database or the registry, and tries
        again and again, does not.

        Args:
            progress: How far each partition has come.
            ends: Offset of the next record in each partition, as far as known.
            now: The monotonic clock.
        """
        self._behind = {
            place: self._sighting(place, progress[place].position, now)
            for place, end in ends.items()
            if place in progress and end > progress[place].position
        }
        for place, seen in self._behind.items():
            last_sign = max(seen.since, progress[place].tried_at, progress[place].moved_at)
            if now - last_sign > self._limit_s:
                behind = ends[place] - seen.position
                return (
                    f"{place.topic}/{place.partition} is {behind} messages behind and stands still at {seen.position} "
                    f"for {now - last_sign:.0f} s"
                )
        return None

    def left_behind(self, group_has_members: bool, now: float) -> str | None:  # noqa: FBT001
        """Return that the worker has dropped out of its group, None when it has not.

        Args:
            group_has_members: Whether Kafka knows any member of the group.
            now: The monotonic clock.
        """
        if group_has_members:
            self._groupless_since = None
            return None
        self._groupless_since = self._groupless_since or now
        if now - self._groupless_since <= self._limit_s:
            return None
        return f"the consumer group has no member for {now - self._groupless_since:.0f} s"

    def _sighting(self, place: Place, position: int, now: float) -> Sighting:
        seen = self._behind.get(place)
        return seen if seen and seen.position == position else Sighting(position, now)


class Watchdog(threading.Thread):
    """Looks at a worker every few seconds, and ends it when it stands still.

    Args:
        group: Consumer group of the worker.
        bootstrap: `host:port` of a broker.
        progress: Tells how far each partition has come.
        limit_s: How long a partition may be behind without anything being tried, in seconds.
        end: Called, from this thread, with what stands still.
    """

    def __init__(
        self,
        *,
        group: str,
        bootstrap: str,
        progress: Callable[[], Mapping[Place, Progress]],
        limit_s: float,
        end: Callable[[str], None],
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self.ends: Mapping[Place, int] = {}
        """Offset of the next record in each partition, as last seen."""
        self._group = group
        self._progress = progress
        self._judge = Judge(limit_s)
        self._every_s = min(LOOK_EVERY_S, limit_s / 4)
        self._end = end
        self._stopped = threading.Event()
        self._servers = bootstrap

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()

    def run(self) -> None:
        """Look at the worker until it is stopped."""
        self._admin = AdminClient({"bootstrap.servers": self._servers, "log_level": 0})
        self._kafka = KafkaConsumer(
            {"bootstrap.servers": self._servers, "group.id": "watchdog", "log_level": 0}
        )
        while not self._stopped.wait(self._every_s):
            try:
                trouble = self._look()
            except KafkaException as error:
                log.debug("Kafka does not answer the watchdog: %r", error)  # nobody's standstill
                continue
            if trouble is not None:
                self._end(trouble)
        self._kafka.close()

    def _look(self) -> str | None:
        progress = self._progress()
        self.ends = self._read_ends(progress)
        trouble = self._judge.stalled(progress, self.ends, time.monotonic())
        if trouble is None and not progress:
            return self._judge.left_behind(self._group_has_members(), time.monotonic())
        return trouble

    def _read_ends(self, places: Collection[Place]) -> dict[Place, int]:
        return {
            place: self._kafka.get_watermark_offsets(TopicPartition(*place), timeout=TIMEOUT_S)[1]
            for place in places
        }

    def _group_has_members(self) -> bool:
        [answer] = self._admin.describe_consumer_groups(
            [self._group], request_timeout=TIMEOUT_S
        ).values()
        state = answer.result().state
        return state not in {ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD}
