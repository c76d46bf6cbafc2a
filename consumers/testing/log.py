"""What stands in for Kafka: partitions, in which records lie at offsets and stay."""

import time
import zlib
from collections import defaultdict
from itertools import count

from cdc.kafka_record import KafkaRecord
from consumers.runtime.store import Place
from consumers.testing.records import NewRecord


class Log:
    """Topics with their partitions."""

    def __init__(self, partitions: int = 1, *, first: int = 0, salt: bytes = b"") -> None:
        self._partitions = partitions
        self._first = first
        self._salt = salt
        self._records: defaultdict[Place, list[KafkaRecord]] = defaultdict(list)
        self._turn = count()

    @property
    def places(self) -> list[Place]:
        return sorted(self._records)

    def append(self, record: NewRecord) -> KafkaRecord:
        """Put a record at the end of its key's partition, and return it as it lies there."""
        place = self.place_of(record)
        stored = KafkaRecord(
            topic=place.topic,
            partition=place.partition,
            offset=self.end(place),
            timestamp=int(time.time() * 1000),
            key=record.key,
            value=record.value,
            headers=record.headers,
        )
        self._records[place].append(stored)
        return stored

    def place_of(self, record: NewRecord) -> Place:
        """Return where a record goes: with others of its key, or, without one, where it is its turn."""
        hashed = next(self._turn) if record.key is None else zlib.crc32(self._salt + record.key)
        return Place(record.topic, self._first + hashed % self._partitions)

    def end(self, place: Place) -> int:
        return len(self._records[place])

    def fetch(self, place: Place, offset: int, limit: int) -> list[KafkaRecord]:
        """Return records from an offset on, as many as asked for where there are so many."""
        return self._records[place][offset : offset + limit]
