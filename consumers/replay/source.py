"""Where replayed messages come from, as the replay sees it: ranges of partitions, handed out in batches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from cdc.kafka_record import KafkaRecord, Place

BATCH = 2000
"""Records in one batch, at most."""

Kind = Literal["kafka", "log"]


class Batch(NamedTuple):
    """Records of one partition that were chosen, in their order."""

    place: Place
    records: Sequence[KafkaRecord]


class Fetch(NamedTuple):
    """What one look at the source came to."""

    batches: Sequence[Batch]
    read: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What is read of a partition."""

    place: Place  # the partition; of the event log, which has none, number 0 stands for the whole
    begin: int
    end: int
    count: int
    first_at: datetime | None = None  # when the first of them was recorded; None when there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a replay reads, decided before it begins and kept when it is resumed."""

    kind: Kind
    why: str  # why from there, as a part of a sentence; empty when there is nothing to say
    ranges: tuple[Range, ...]
    # since when all messages are in it; None when it begins with the first message there ever was
    start: datetime | None
    end: datetime | None
    # all messages of the time between are in it: every partition of every topic was chosen, by time
    is_whole: bool
    # where each partition ended then, when the range left out nothing that was recorded later; None when it did,
    # or when that is not known
    reaches: Mapping[Place, int] | None = None

    @property
    def total(self) -> int:
        return sum(each.count for each in self.ranges)


class Source(Protocol):
    """Reads the ranges of a plan; used by one thread at a time."""

    def begin(self, positions: Mapping[Place, int]) -> None:
        """Begin to read.

        Args:
            positions: Where to begin in each partition; what lies before is counted as read.
        """

    def fetch(self) -> Fetch | None:
        """Return the next batches, which may be none for now; None at the end of all ranges."""

    def origin(self, record: KafkaRecord) -> str:
        """Return where a record was taken from, as the header `replayed_from` says it."""

    def complaint(self) -> str:
        """Return what may be wrong with the choice when nothing was found, empty when nothing is."""

    def close(self) -> None:
        """Let go of the source."""


class Changed:
    """A source some of whose records are others, or left out.

    Args:
        source: The source.
        change: Returns a record as it is to be handed out; None when it is left out.
    """

    def __init__(self, source: Source, change: Callable[[KafkaRecord], KafkaRecord | None]) -> None:
        self._source = source
        self._change = change
        self.begin = source.begin
        self.origin = source.origin
        self.complaint = source.complaint
        self.close = source.close

    def fetch(self) -> Fetch | None:
        fetched = self._source.fetch()
        if fetched is None:
            return None
        batches = [Batch(place, self._changed(records)) for place, records in fetched.batches]
        return Fetch([batch for batch in batches if batch.records], fetched.read)

    def _changed(self, records: Sequence[KafkaRecord]) -> list[KafkaRecord]:
        return [changed for each in records if (changed := self._change(each)) is not None]
