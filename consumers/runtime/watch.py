"""What is seen of one worker again and again: whether it is well, and from where to where its partitions are kept."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException

from cdc.kafka import Topic, bounds_of, shares_of
from consumers.runtime.group import Group
from consumers.runtime.judge import Judge
from consumers.runtime.lanes import Progress
from consumers.runtime.peers import Peers
from consumers.runtime.positions import find_reset
from consumers.runtime.store import Place, Position

BLIND_LOOKS = 3
"""Looks in a row that Kafka does not answer until that is said."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What a worker lets be seen of it, which may be asked from another thread.

    Args:
        bootstrap: `host:port` of its broker.
        group: Its consumer group.
        topics: What it reads.
        progress: Tells how far each partition has come.
        topic_ids: Tells the topics, by name, that these positions are in.
        is_taking_over: Tells whether partitions have been given to it that it does not work on yet.
        moved: Is told when Kafka does not have any more what lies at a position.
        end: Is told what stands still, and ends the process.
    """

    bootstrap: str
    group: str
    topics: Collection[str]
    progress: Callable[[], Mapping[Place, Progress]]
    topic_ids: Callable[[], Mapping[str, str]]
    is_taking_over: Callable[[], bool]
    moved: Callable[[], None]
    end: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a worker is.

    Args:
        progress: How far each of its partitions has come.
        topic_ids: The topics, by name, that these positions are in.
    """

    progress: Mapping[Place, Progress]
    topic_ids: Mapping[str, str]

    def has_moved(self, topics: Mapping[str, Topic]) -> bool:
        """Return whether Kafka does not have any more what lies at one of the positions."""
        return any(
            self._is_gone(place, seen, topics[place.topic])
            for place, seen in self.progress.items()
            # otherwise it is being deleted, or made: the group deals out anew what there is
            if place.topic in topics and place.partition in topics[place.topic].bounds
        )

    def _is_gone(self, place: Place, seen: Progress, topic: Topic) -> bool:
        if seen.position < topic.bounds[place.partition].begin and seen.oldest_ms is not None:
            return False  # what it has fetched already is not lost
        position = Position(seen.position, self.topic_ids.get(place.topic))
        return find_reset(place, position, topic) is not None


class Watch:
    """Compares a worker with its topics and its group.

    Args:
        worker: What is seen of it.
        peers: Other workers of the group, which it outlives.
        limit_s: How long a partition may be behind without anything being tried, in seconds.

    Attributes:
        is_kept: Whether it is to be looked at: not before it works, nor while it stops.
        ends: Offset of the next record in each partition; empty while Kafka does not say.
        known_ends: The same by topic id and partition, topics included that have been deleted since.
        trouble: Why the worker does not hold what it should, or does not come on; empty when there is nothing to say.
        seen_at: When the worker's positions were last compared with Kafka, on the monotonic clock.
        is_spare: Whether there are more members in the group than partitions, so that one may hold none.
        blind: Looks in a row that Kafka did not answer.
    """

    def __init__(self, worker: Watched, peers: Peers, limit_s: float) -> None:
        self.worker = worker
        self.limit_s = limit_s
        self.is_kept = False
        self.ends: Mapping[Place, int] = {}
        self.known_ends: dict[tuple[str, int], int] = {}
        self.trouble = ""
        self.is_spare = False
        self.seen_at = 0.0
        self.blind = 0
        self._peers = peers
        self._judge = Judge(limit_s, worker.topics)

    def forget(self) -> None:
        """Begin anew, as nothing is known of the time that has passed."""
        self._judge.forget()

    def not_told(self, error: KafkaException) -> None:
        """Take note that Kafka did not answer."""
        self.blind += 1
        self.ends, self.is_spare = {}, False
        if self.blind > 1:  # once may be a slow answer
            self.forget()
        if self.blind >= BLIND_LOOKS:
            self.trouble = f"Kafka does not answer: {error.args[0].str()}"

    def standing(self) -> Standing:
        """Return how far the worker is, to be compared with what Kafka says from now on: that only grows."""
        return Standing(self.worker.progress(), self.worker.topic_ids())

    def compare(self, standing: Standing, topics: Mapping[str, Topic]) -> None:
        """Tell the worker when it has to begin anew somewhere, and keep where its topics end."""
        bounds = bounds_of(topics)
        if standing.has_moved(topics):
            self.worker.moved()
        else:
            self.known_ends |= {
                (topics[place.topic].topic_id, place.partition): each.end
                for place, each in bounds.items()
            }
        self.ends = {place: each.end for place, each in bounds.items()}
        self.seen_at = time.monotonic()

    def ended(self, group: Group) -> list[str]:
        """Return the members of the group whose process has ended."""
        return self._peers.ended(group.members)

    def judge(self, standing: Standing, topics: Mapping[str, Topic], group: Group) -> None:
        """Say what is wrong with the worker, and end the process if a new start may help."""
        self.blind = 0
        self.is_spare = group.is_stable and len(group.members) > shares_of(topics) > 0
        verdict = self._judge.judge(
            standing.progress,
            topics,
            group,
            time.monotonic(),
            is_taking_over=self.worker.is_taking_over(),
        )
        self.trouble = verdict.trouble
        if verdict.is_final:
            self.worker.end(verdict.trouble)
