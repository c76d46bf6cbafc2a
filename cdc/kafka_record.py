"""A Kafka record by value, and where it lies; nothing here needs a client of Kafka."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

FIRST_S = datetime.min.replace(tzinfo=UTC).timestamp()
LAST_S = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()

Headers = Sequence[tuple[str, bytes | None]]


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class KafkaRecord(NamedTuple):
    """A record by value: as it was read, or as it is kept elsewhere.

    Args:
        topic: Topic it lies in.
        partition: Partition it lies in.
        offset: Offset within the partition.
        timestamp: When it was made or appended, in milliseconds since 1970.
        key: Record key.
        value: Record value; None is a tombstone.
        headers: Headers in their order.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def recorded_at(self) -> datetime:
        """When it was made or appended; a date that no calendar has becomes the nearest one."""
        return datetime.fromtimestamp(min(max(self.timestamp / 1000, FIRST_S), LAST_S), UTC)
