"""How far consumers are behind: their positions from the database, the ends of their topics from Kafka."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

from cdc.kafka import Bounds, Topic, bounds_of
from cdc.kafka_record import KafkaRecord
from cdc.sql import load_queries
from cdc.topic_reader import TopicReader
from consumers.runtime.positions import find_reset
from consumers.runtime.store import Place, Position

QUERIES = load_queries("consumers.runtime", "lag.sql")

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """How far a consumer is behind in one partition.

    Args:
        partition: Number of the partition.
        position: Offset to go on from; None when the consumer has never been in the partition.
        end: Offset of the next record, as far as committed; None when Kafka does not have the partition.
        messages: Records it has not done yet, at most: offsets without a record are counted where they lie between
            records. None when Kafka does not have the partition.
        seconds: Age of the oldest of these records, in seconds; None when it cannot be told.
        duplicates: Deliveries that were dropped because their effect existed.
        lost: Records that were deleted unread, as far as known, since somebody last looked into it.
        reset: Why the consumer went on, or will go on, elsewhere than at its position; None when it did not.
    """

    partition: int
    position: int | None
    end: int | None
    messages: int | None
    seconds: float | None
    duplicates: int
    lost: int = 0
    reset: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicLag:
    """How far a consumer is behind in a topic.

    Args:
        consumer: Its name.
        topic: The topic.
        partitions: Each partition, in their order.
        parked: Messages that are parked, those included that wait behind others.
        dead: Dead letters, each of which waits for somebody to decide.
    """

    consumer: str
    topic: str
    partitions: Sequence[PartitionLag]
    parked: int
    dead: int

    @property
    def messages(self) -> int | None:
        """Records it has not done yet; None when Kafka does not have the topic."""
        known = [each.messages for each in self.partitions if each.messages is not None]
        return sum(known) if known else None

    @property
    def seconds(self) -> float | None:
        """Age of the oldest of them, in seconds."""
        return max(
            (each.seconds for each in self.partitions if each.seconds is not None), default=None
        )

    @property
    def duplicates(self) -> int:
        """Deliveries that were dropped because their effect existed."""
        return sum(each.duplicates for each in self.partitions)

    @property
    def lost(self) -> int:
        """Records that were deleted unread, as far as known."""
        return sum(each.lost for each in self.partitions)

    @property
    def resets(self) -> list[str]:
        """Why it went on elsewhere than at its positions, partition by partition."""
        return [
            f"{self.topic}/{each.partition}: {each.reset}" for each in self.partitions if each.reset
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPosition:
    """What the database keeps of a consumer in a partition.

    Args:
        position: How far it has come; None when it has never been there.
        duplicates: Deliveries that were dropped because their effect existed.
        lost: Records that were deleted unread, as far as known.
        reset: Why it went on, or will go on, elsewhere than at its position.
        start: Where it will go on, if not at its position.
    """

    position: Position | None = None
    duplicates: int = 0
    lost: int = 0
    reset: str | None = None
    start: int | None = None


@dataclass(frozen=True, slots=True)
class StoredPositions:
    """What the database keeps of consumers.

    Args:
        positions: (consumer, place) -> what is kept.
        parked: (consumer, topic) -> messages parked, and how many of them are dead letters.
    """

    positions: Mapping[tuple[str, Place], KeptPosition]
    parked: Mapping[tuple[str, str], tuple[int, int]]

    @classmethod
    def read(cls, connections: Iterable[Connection]) -> Self:
        """Read it from the schemas that connections lead to."""
        positions: dict[tuple[str, Place], KeptPosition] = {}
        parked: dict[tuple[str, str], tuple[int, int]] = {}
        for connection in connections:
            for row in _rows(connection, "positions"):
                place = Place(row["topic"], row["partition"])
                positions[row["consumer"], place] = KeptPosition(
                    position=Position(row["next_offset"], row["topic_id"]),
                    duplicates=row["duplicates"],
                    lost=row["lost"],
                    reset=row["reset"],
                )
            for row in _rows(connection, "parked"):
                parked[row["consumer"], row["topic"]] = row["parked"], row["dead"]
        return cls(positions, parked)

    def topics(self) -> set[tuple[str, str]]:
        """Return each consumer with each topic that it was ever in."""
        return {(consumer, place.topic) for consumer, place in self.positions} | set(self.parked)


class LagMeter:
    """Measures again and again; to be closed after use.

    Args:
        bootstrap: `host:port` of a broker.
    """

    def __init__(self, bootstrap: str) -> None:
        # one record is wanted, at once, and not what lies behind it
        self._reader = TopicReader(
            bootstrap,
            **{
                "queued.min.messages": 1,
                "fetch.queue.backoff.ms": 1,
                "fetch.wait.max.ms": 10,
                "fetch.message.max.bytes": 1024,
            },
        )

    def close(self) -> None:
        """Leave Kafka."""
        self._reader.close()

    def measure(self, kept: StoredPositions, wanted: Iterable[tuple[str, str]]) -> list[TopicLag]:
        """Return how far consumers are behind in topics.

        Args:
            kept: What the database keeps of them.
            wanted: Each consumer with each of its topics.

        Raises:
            TopicError: Kafka cannot be asked.
        """
        wanted = sorted(set(wanted))
        topics = self._reader.topics(*{topic for _, topic in wanted})
        return [self._topic(kept, topics.get(topic), consumer, topic) for consumer, topic in wanted]

    def ends(self, topics: Iterable[str]) -> dict[str, int]:
        """Return how many offsets of each topic there have been, over all partitions, as far as committed.

        Raises:
            TopicError: Kafka cannot be asked.
        """
        found = self._reader.topics(*topics)
        return {
            name: sum(bounds.end for bounds in topic.bounds.values())
            for name, topic in found.items()
        }

    def _topic(
        self, kept: StoredPositions, found: Topic | None, consumer: str, topic: str
    ) -> TopicLag:
        bounds = bounds_of({topic: found} if found else {})
        places = bounds.keys() | {
            place for name, place in kept.positions if (name, place.topic) == (consumer, topic)
        }
        states = {
            place: resolved(place, kept.positions.get((consumer, place), KeptPosition()), found)
            for place in places
        }
        starts = {place: start_in(states[place], each) for place, each in bounds.items()}
        oldest = self._reader.firsts({p: s for p, s in starts.items() if s < bounds[p].end})
        parked, dead = kept.parked.get((consumer, topic), (0, 0))
        partitions = [
            partition_lag(place, states[place], bounds.get(place), oldest)
            for place in sorted(places)
        ]
        return TopicLag(
            consumer=consumer, topic=topic, partitions=partitions, parked=parked, dead=dead
        )


def settle(connection: Connection, consumers: Iterable[str]) -> None:
    """Forget what was lost to consumers, and why, once somebody has looked into it."""
    for consumer in consumers:
        connection.execute(QUERIES["settle"], {"consumer": consumer})


def resolved(place: Place, kept: KeptPosition, topic: Topic | None) -> KeptPosition:
    """Return what is kept, with what a worker will find that takes the partition over.

    Args:
        place: The partition.
        kept: What is kept of it.
        topic: The topic as it is now; None when there is none.
    """
    if topic is None or kept.position is None or place.partition not in topic.bounds:
        return kept
    reset = find_reset(place, kept.position, topic)
    if reset is None:
        return kept
    return replace(
        kept, lost=kept.lost + reset.lost, reset=reset.reason, start=reset.position.offset
    )


def start_in(kept: KeptPosition, bounds: Bounds) -> int:
    """Return where a worker would begin to read, see `positions.find_positions`."""
    if kept.start is not None:
        return kept.start
    return bounds.begin if kept.position is None else kept.position.offset


def partition_lag(
    place: Place,
    kept: KeptPosition,
    bounds: Bounds | None,
    oldest: Mapping[Place, KafkaRecord | None],
) -> PartitionLag:
    """Return how far a consumer is behind in a partition.

    Args:
        place: The partition.
        kept: What is kept of the consumer in it.
        bounds: What Kafka has of it; None when it does not have it.
        oldest: The first record from the position on, where Kafka has answered; None where all that is left are marks
            of transactions and the like.
    """
    messages: int | None
    seconds: float | None
    if bounds is None:
        messages, seconds = None, None
    elif (start := start_in(kept, bounds)) >= bounds.end:
        messages, seconds = 0, 0.0
    elif place not in oldest:
        messages, seconds = bounds.end - start, None
    elif (first := oldest[place]) is None:
        messages, seconds = 0, 0.0
    else:
        messages = bounds.end - first.offset
        seconds = max(0.0, round(time.time() - first.timestamp / 1000, 3))
    return PartitionLag(
        partition=place.partition,
        position=kept.position.offset if kept.position else None,
        end=bounds.end if bounds else None,
        messages=messages,
        seconds=seconds,
        duplicates=kept.duplicates,
        lost=kept.lost,
        reset=kept.reset,
    )


def _rows(connection: Connection, query: str) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(QUERIES[query]).fetchall()
