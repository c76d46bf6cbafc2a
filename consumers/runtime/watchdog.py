"""Watches over a worker from a thread of its own: well is who holds what is his to hold, and makes progress.

What it knows of topics and of the group comes from a Kafka client of its own: the worker's may be what stands still.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException

from cdc.kafka import Admin, Topic, bounds_of, read_topics, shares_of
from cdc.logs import FieldLogger
from cdc.speaker import speaker
from consumers.runtime.group import Group, GroupReader
from consumers.runtime.judge import Judge, Verdict
from consumers.runtime.lanes import Progress
from consumers.runtime.peers import Peers
from consumers.runtime.positions import find_reset
from consumers.runtime.store import Place, Position

LOOK_EVERY_S = 1.0
SHORTEST_S, LONGEST_S = 1.0, 5.0
"""How long the client of a look may wait, at first and after it did so in vain: who asked a broker that was lost a
moment ago waits to the end, while others answer already.
"""
SOON_S = 0.2
BLIND_LOOKS = 3
"""Looks in a row that Kafka does not answer until that is said."""

log = FieldLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of Kafka.

    Args:
        topics: The consumer's topics by name, without those that do not exist.
        group: Its group.
    """

    topics: Mapping[str, Topic]
    group: Group


class Watchdog(threading.Thread):
    """Looks at a worker again and again, and ends it when it stands still and a new start may help.

    Args:
        group: Consumer group of the worker.
        topics: What it reads.
        bootstrap: `host:port` of a broker.
        peers: Other workers of the group, which it outlives.
        progress: Tells how far each partition has come.
        topic_ids: Tells the topics, by name, that these positions are in.
        is_taking_over: Tells whether partitions have been given to it that it does not work on yet.
        moved: Called, from this thread, when Kafka does not have any more what lies at a position.
        limit_s: How long a partition may be behind without anything being tried, in seconds.
        end: Called, from this thread, with what stands still.

    Attributes:
        ends: Offset of the next record in each partition; empty while Kafka does not say.
        known_ends: The same by topic id and partition, topics included that have been deleted since.
        trouble: Why the worker does not hold what it should, or does not come on; empty when there is nothing to say.
        seen_at: When the worker's positions were last compared with Kafka, on the monotonic clock.
        is_spare: Whether there are more members in the group than partitions, so that one may hold none.
    """

    def __init__(  # noqa: PLR0913 - all that is watched
        self,
        *,
        group: str,
        topics: Collection[str],
        bootstrap: str,
        peers: Peers,
        progress: Callable[[], Mapping[Place, Progress]],
        topic_ids: Callable[[], Mapping[str, str]],
        is_taking_over: Callable[[], bool],
        moved: Callable[[], None],
        limit_s: float,
        end: Callable[[str], None],
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self.ends: Mapping[Place, int] = {}
        self.known_ends: dict[tuple[str, int], int] = {}
        self.trouble = ""
        self.is_spare = False
        self.seen_at = 0.0
        self._group = group
        self._topics = topics
        self._servers = bootstrap
        self._peers = peers
        self._progress = progress
        self._topic_ids = topic_ids
        self._is_taking_over = is_taking_over
        self._moved = moved
        self._judge = Judge(limit_s, topics)
        self._every_s = min(LOOK_EVERY_S, limit_s / 4)
        self._end = end
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()

    def run(self) -> None:
        """Look at the worker until it is stopped."""
        speaker.set(self._group)
        self._admin = Admin(self._servers)
        self._reader = GroupReader(self._servers)
        blind = 0
        looked_at = time.monotonic()
        while not self._stopped.wait(min(SOON_S, self._every_s) if blind else self._every_s):
            if time.monotonic() - looked_at > 2 * self._every_s + 1:
                # this process was frozen, or Kafka away: that nothing has moved meanwhile says nothing
                self._judge.forget()
            looked_at = time.monotonic()
            try:
                verdict = self._look(min(LONGEST_S, SHORTEST_S * 2 ** min(blind, 3)))
                blind = 0
            except KafkaException as error:
                blind += 1
                self.ends, self.is_spare = {}, False
                if blind >= BLIND_LOOKS:
                    self.trouble = f"Kafka does not answer: {error.args[0].str()}"
                continue
            except Exception:
                log.exception("watchdog failed in itself")
                continue
            self.trouble = verdict.trouble
            if verdict.is_final:
                self._end(verdict.trouble)
        self._reader.close()

    def _look(self, timeout_s: float) -> Verdict:
        progress = self._progress()  # before what it is compared with, which only grows
        topic_ids = self._topic_ids()
        with self._admin.asking() as admin:
            topics = read_topics(admin, self._topics, timeout_s)
        self._compare(progress, topic_ids, topics)
        sight = Sight(topics, self._reader.read(self._group))
        self._remove_ended(sight.group)
        self.is_spare = (
            sight.group.is_stable and len(sight.group.members) > shares_of(sight.topics) > 0
        )
        return self._judge.judge(
            progress,
            sight.topics,
            sight.group,
            time.monotonic(),
            is_taking_over=self._is_taking_over(),
        )

    def _compare(
        self,
        progress: Mapping[Place, Progress],
        topic_ids: Mapping[str, str],
        topics: Mapping[str, Topic],
    ) -> None:
        bounds = bounds_of(topics)
        if any(self._has_moved(place, seen, topic_ids, topics) for place, seen in progress.items()):
            self._moved()
        else:
            self.known_ends |= {
                (topics[place.topic].topic_id, place.partition): each.end
                for place, each in bounds.items()
            }
        self.ends = {place: each.end for place, each in bounds.items()}
        self.seen_at = time.monotonic()

    def _remove_ended(self, group: Group) -> None:
        ended = self._peers.ended(group.members)
        if ended:
            self._reader.remove(self._group, ended)
            log.info("removed from the group whose process has ended", members=ended)

    @staticmethod
    def _has_moved(
        place: Place, seen: Progress, topic_ids: Mapping[str, str], topics: Mapping[str, Topic]
    ) -> bool:
        topic = topics.get(place.topic)
        if topic is None or place.partition not in topic.bounds:
            return False  # it is being deleted, or made: the group deals out anew what there is
        if seen.position < topic.bounds[place.partition].begin and seen.oldest_ms is not None:
            return False  # what it has fetched already is not lost
        position = Position(seen.position, topic_ids.get(place.topic))
        return find_reset(place, position, topic) is not None
