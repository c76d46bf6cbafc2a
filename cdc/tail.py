"""Reads records of a topic as people want to see them: decoded, with headers."""

import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdc.kafka_record import KafkaRecord, Place
from cdc.text import text_of
from cdc.topic_reader import TopicReader
from schemas.codec import Codec
from schemas.datum import UndecodableError


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
    """Reads one topic, whose records it decodes.

    Args:
        codec: Decodes the values; it needs no message classes.
    """

    def __init__(self, bootstrap: str, topic: str, codec: Codec) -> None:
        self._topic = topic
        self._codec = codec
        self._reader = TopicReader(bootstrap)
        self._ends: dict[Place, int] = {}

    def close(self) -> None:
        """Leave Kafka."""
        self._reader.close()

    def last(self, count: int, wanted: Wanted | None = None) -> list[TailedRecord]:
        """Return the last records of the topic over all partitions, oldest first.

        Args:
            wanted: Which records count; with it the whole topic is read.
        """
        bounds = self._reader.bounds(self._topic)
        self._ends = {place: each.end for place, each in bounds.items()}
        ranges = {
            place: (each.begin if wanted else max(each.begin, each.end - count), each.end)
            for place, each in bounds.items()
        }
        kept: dict[int, deque[TailedRecord]] = defaultdict(lambda: deque(maxlen=count))
        for portion in itertools.chain.from_iterable(self._reader.read(ranges)):
            for record in map(self._decode, portion.records):
                if wanted is None or wanted(record):
                    kept[record.partition].append(record)
        records = itertools.chain.from_iterable(kept.values())
        return sorted(records, key=lambda r: (r.timestamp, r.partition, r.offset))[-count:]

    def follow(self) -> Iterator[TailedRecord]:
        """Yield the records that come after those `last` looked at, until the caller stops."""
        return map(self._decode, itertools.chain.from_iterable(self._reader.follow(self._ends)))

    def _decode(self, record: KafkaRecord) -> TailedRecord:
        return decoded(record, self._codec)


def decoded(record: KafkaRecord, codec: Codec) -> TailedRecord:
    """Return a record as people want to see it; RegistryUnavailableError when its schema cannot be asked for."""
    name, value, problem = None, None, None
    try:
        if record.value is not None:
            name, datum = codec.decode_datum(record.value)
            value = dict(datum)
    except UndecodableError as error:
        problem = str(error)
    return TailedRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.recorded_at,
        key=None if record.key is None else text_of(record.key),
        headers={name: None if value is None else text_of(value) for name, value in record.headers},
        type=name,
        value=value,
        error=problem,
    )
