"""Reads topics outside of consumer groups: committed records, in batches, from where to where the caller says."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from cdc.kafka import (
    TIMEOUT_S,
    Admin,
    Bounds,
    NoTopicError,
    Topic,
    TopicError,
    asking,
    bounds_of,
    places_of,
    read_topics,
)
from cdc.kafka_record import KafkaRecord, Place
from cdc.text import did_you_mean

BATCH = 2000
LOOK_S = 0.1
"""How long a batch that does not fill is waited for."""
SILENCE_S = 30.0
"""How long Kafka may hand out nothing of what it has."""
FIRSTS_S = 15.0
CHECK_EVERY_S, CHECK_S = 10.0, 2.0
"""How often who follows, and gets nothing, makes sure that its client finds a broker, and how long that may take."""


class Portion(NamedTuple):
    """What one look has brought of a partition.

    Args:
        place: The partition.
        records: Its records, in their order.
        position: How far it has been read, which may be beyond its last record.
    """

    place: Place
    records: list[KafkaRecord]
    position: int


class TopicReader:
    """Reads topics; to be closed after use, or a context manager.

    Args:
        bootstrap: `host:port` of a broker.
        differing: Settings of librdkafka that differ.
    """

    def __init__(self, bootstrap: str, **differing: Any) -> None:
        self.bootstrap = bootstrap
        self._admin = Admin(bootstrap)
        self._settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "group.id": "tailrace-reader",  # the client wants one; nothing is committed to it
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",  # what was deleted meanwhile is passed over
            "fetch.wait.max.ms": 100,
            # what is fetched ahead lies in memory
            "queued.min.messages": 10_000,
            "queued.max.messages.kbytes": 4096,
            "fetch.max.bytes": 4 * 2**20,
            "fetch.queue.backoff.ms": 10,  # look again soon whether there is room
            "log_level": 0,  # what goes wrong is told once, by us
        } | differing
        self._consumer = Consumer(self._settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def topics(self, *names: str) -> dict[str, Topic]:
        """Return topics as they are now, without those that Kafka does not have.

        Raises:
            TopicError: Kafka cannot be asked.
        """
        return self._admin.ask(lambda admin: read_topics(admin, names, TIMEOUT_S))

    def bounds(self, *names: str) -> dict[Place, Bounds]:
        """Return what Kafka has of each partition of topics, as far as it is committed.

        Raises:
            NoTopicError: Kafka does not have one of them.
            TopicError: Kafka cannot be asked, or nobody leads a partition just now.
        """
        topics = self.topics(*names)
        if missing := [name for name in names if name not in topics]:
            there = self._admin.ask(lambda admin: admin.list_topics(timeout=TIMEOUT_S).topics)
            near = did_you_mean(missing[0], there)
            raise NoTopicError(
                f"Kafka has no topic {', '.join(missing)}{near or '; `tailrace topics list` shows those it has'}"
            )
        return _led(topics)

    def bounds_now(self, *names: str) -> dict[Place, Bounds]:
        """Return the same of those topics that Kafka has.

        Raises:
            TopicError: Kafka cannot be asked, or nobody leads a partition just now.
        """
        return _led(self.topics(*names))

    def at(self, moment: datetime, bounds: Mapping[Place, Bounds]) -> dict[Place, int]:
        """Return where the records of a moment begin in each partition: at its end when none is so young.

        Raises:
            TopicError: Kafka cannot be asked.
        """
        milliseconds = max(0, round(moment.timestamp() * 1000))
        asked = [TopicPartition(*place, milliseconds) for place in bounds]
        with asking(self.bootstrap):
            answers = self._consumer.offsets_for_times(asked, timeout=TIMEOUT_S) if asked else []
            for answer in answers:
                if answer.error is not None:
                    raise KafkaException(answer.error)
        found = {Place(each.topic, each.partition): each.offset for each in answers}
        return {
            place: each.end if found[place] < 0 else min(max(found[place], each.begin), each.end)
            for place, each in bounds.items()
        }

    def firsts(self, starts: Mapping[Place, int]) -> dict[Place, KafkaRecord | None]:
        """Return the first record from an offset on in each partition, None where there is none.

        Left out are partitions of which Kafka hands out nothing within `FIRSTS_S`.

        Raises:
            TopicError: Kafka cannot be asked.
        """
        found: dict[Place, KafkaRecord | None] = {}
        self._assign(starts)
        deadline = time.monotonic() + FIRSTS_S
        while len(found) < len(starts) and time.monotonic() < deadline:
            for place, record in self._look(1, LOOK_S):
                if place in starts and place not in found:
                    found[place] = record
                    self._consumer.incremental_unassign([TopicPartition(*place)])
        self._consumer.unassign()
        return found

    def read(self, ranges: Mapping[Place, tuple[int, int]]) -> Iterator[list[Portion]]:
        """Yield what lies in ranges of offsets, look by look; nothing, when nothing has come for now.

        Args:
            ranges: Where to begin in each partition, and where to end before.

        Raises:
            TopicError: Kafka hands out nothing any more, or refuses to.
        """
        ends = {place: end for place, (start, end) in ranges.items() if start < end}
        positions = {place: ranges[place][0] for place in ends}
        self._assign(positions)
        silent_s = 0.0
        while positions:
            left = sum(ends[place] - position for place, position in positions.items())
            come: dict[Place, list[KafkaRecord]] = {}
            for place, record in self._look(min(BATCH, left), LOOK_S):
                if place not in positions:
                    continue
                records = come.setdefault(place, [])
                if record is None or record.offset >= ends[place]:
                    positions[place] = ends[place]
                elif record.offset >= positions[place]:
                    positions[place] = record.offset + 1
                    records.append(record)
            silent_s = 0.0 if come else silent_s + LOOK_S
            if silent_s > SILENCE_S:
                raise TopicError(
                    f"Kafka at {self.bootstrap} has handed out nothing of {', '.join(map(str, sorted(positions)))} "
                    f"for {SILENCE_S:g} s; see `tailrace status`"
                )
            yield [Portion(place, records, positions[place]) for place, records in come.items()]
            if ended := [place for place in come if positions[place] >= ends[place]]:
                self._consumer.incremental_unassign([TopicPartition(*place) for place in ended])
                for place in ended:
                    del positions[place]

    def follow(self, starts: Mapping[Place, int]) -> Iterator[list[KafkaRecord]]:
        """Yield what comes from offsets on as soon as it does, and every `LOOK_S` nothing when nothing does.

        Raises:
            TopicError: Kafka refuses to hand it out.
        """
        positions = dict(starts)
        self._assign(positions)
        checked_at = time.monotonic()
        while True:
            first = self._look(1, LOOK_S)
            records = [
                record for _, record in [*first, *self._look(BATCH, 0)] if record is not None
            ]
            for record in records:
                positions[Place(record.topic, record.partition)] = record.offset + 1
            if time.monotonic() - checked_at > CHECK_EVERY_S:
                if not records and self._is_blind(starts):
                    self._consumer.close()
                    self._consumer = Consumer(self._settings)
                    self._assign(positions)
                checked_at = time.monotonic()
            yield records

    def _is_blind(self, places: Mapping[Place, int]) -> bool:
        """Return whether the client that reads finds no broker: it may have forgotten them all for good."""
        try:
            for topic in {place.topic for place in places}:
                self._consumer.list_topics(topic, timeout=CHECK_S)
        except KafkaException:
            return True
        return False

    def _assign(self, positions: Mapping[Place, int]) -> None:
        self._consumer.assign(
            [TopicPartition(*place, position) for place, position in positions.items()]
        )

    def _look(self, most: int, seconds: float) -> Iterator[tuple[Place, KafkaRecord | None]]:
        """Yield what has come, each with its partition; None is the end of one."""
        place = Place("", -1)
        for message in self._consumer.consume(most, seconds):
            here = (cast(str, message.topic()), cast(int, message.partition()))
            if here != place:  # they come in runs
                place = Place(*here)
            error = message.error()
            if error is None:
                yield place, kafka_record(place, message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                yield place, None
            elif not error.retriable():
                raise TopicError(f"{place} cannot be read: {error}; see `tailrace status`")


def _led(topics: Mapping[str, Topic]) -> dict[Place, Bounds]:
    bounds = bounds_of(topics)
    if unled := sorted(places_of(topics) - bounds.keys()):
        raise TopicError(f"no broker leads {', '.join(map(str, unled))} just now; try again")
    return dict(sorted(bounds.items()))


def kafka_record(place: Place, message: Message) -> KafkaRecord:
    """Return a message of the client by value."""
    headers = cast(list[tuple[str, bytes | None]], message.headers() or [])
    offset, timestamp = cast(int, message.offset()), message.timestamp()[1]
    return KafkaRecord(*place, offset, timestamp, message.key(), message.value(), headers)
