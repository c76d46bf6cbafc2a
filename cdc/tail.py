"""Reads records of a topic as people want to see them: decoded, with headers."""

import itertools
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from cdc.text import did_you_mean, text_of
from cdc.topics import TopicError
from schemas.codec import Codec
from schemas.datum import UndecodableError

TIMEOUT_S = 10.0
POLL_S = 0.2
FIRST_S = datetime.min.replace(tzinfo=UTC).timestamp()
LAST_S = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class TailedRecord:
    """A record as it lies in Kafka, its value decoded."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: str | None
    headers: dict[str, str | None]  # headers as text; None for a header without a value
    type: str | None  # full name of the Avro record, None when the value cannot be decoded
    # its fields as they were written; None for a tombstone or an undecodable value
    value: dict[str, Any] | None
    error: str | None


Wanted = Callable[[TailedRecord], bool]


class Tail:
    """Reads one topic without belonging to a consumer group.

    Args:
        codec: Decodes the values; it needs no message classes.
    """

    def __init__(self, bootstrap: str, topic: str, codec: Codec) -> None:
        self._topic = topic
        self._codec = codec
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "tail",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        self._partitions = self._find_partitions(bootstrap)

    def close(self) -> None:
        self._consumer.close()

    def last(self, count: int, wanted: Wanted | None = None) -> list[TailedRecord]:
        """Return the last records of the topic over all partitions, oldest first.

        Args:
            wanted: Which records count; with it the whole topic is read.
        """
        kept: dict[int, deque[TailedRecord]] = defaultdict(lambda: deque(maxlen=count))
        for record in self._read(None if wanted else count):
            if wanted is None or wanted(record):
                kept[record.partition].append(record)
        records = itertools.chain.from_iterable(kept.values())
        return sorted(records, key=lambda r: (r.timestamp, r.partition, r.offset))[-count:]

    def follow(self) -> Iterator[TailedRecord]:
        """Yield the records that come after those `last` looked at, until the caller stops."""
        while True:
            record = self._consumer.poll(POLL_S)
            if record is not None and not record.error():
                yield self._decode(record)

    def _read(self, count: int | None) -> Iterator[TailedRecord]:
        """Yield the last `count` records of each partition, or all, up to where the partitions end now."""
        starts = [self._start(partition, count) for partition in self._partitions]
        self._consumer.assign(starts)
        open_partitions = set(self._partitions)
        deadline = time.monotonic() + TIMEOUT_S
        while open_partitions:
            record = self._consumer.poll(POLL_S)
            if record is None:
                if time.monotonic() > deadline:
                    raise TopicError(f"{self._topic} stopped answering; see `tailrace status`")
                continue
            deadline = time.monotonic() + TIMEOUT_S
            error = record.error()
            if error is None:
                yield self._decode(record)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                open_partitions.discard(record.partition())
            else:
                raise TopicError(f"{self._topic} cannot be read: {error}")

    def _start(self, partition: int, count: int | None) -> TopicPartition:
        place = TopicPartition(self._topic, partition)
        low, high = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
        return TopicPartition(
            self._topic, partition, low if count is None else max(low, high - count)
        )

    def _find_partitions(self, bootstrap: str) -> list[int]:
        try:
            metadata = self._consumer.list_topics(self._topic, timeout=TIMEOUT_S)
        except KafkaException as error:
            raise TopicError(
                f"Kafka at {bootstrap} cannot be asked ({error}); see `tailrace status`"
            ) from error
        topic = metadata.topics[self._topic]
        if topic.error is not None:
            near = did_you_mean(self._topic, self._consumer.list_topics(timeout=TIMEOUT_S).topics)
            raise TopicError(
                f"there is no topic {self._topic}{near or '; `tailrace topics list` shows them'}"
            )
        return sorted(topic.partitions)

    def _decode(self, record: Message) -> TailedRecord:
        name, value, problem = None, None, None
        try:
            if (data := record.value()) is not None:
                name, datum = self._codec.decode_datum(data)
                value = dict(datum)
        except UndecodableError as error:
            problem = str(error)
        key = record.key()
        return TailedRecord(
            topic=self._topic,
            partition=record.partition() or 0,
            offset=record.offset() or 0,
            timestamp=_moment(record.timestamp()[1]),
            key=None if key is None else _text(key),
            headers=_headers(record),
            type=name,
            value=value,
            error=problem,
        )


def _headers(record: Message) -> dict[str, str | None]:
    headers = dict(record.headers() or [])
    return {name: None if value is None else _text(value) for name, value in headers.items()}


def _text(data: bytes | str) -> str:
    return text_of(data) if isinstance(data, bytes) else data


def _moment(milliseconds: int) -> datetime:
    """Return when a record is dated; a date that no calendar has becomes the nearest one."""
    seconds = milliseconds / 1000
    return datetime.fromtimestamp(min(max(seconds, FIRST_S), LAST_S), UTC)
