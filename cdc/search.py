"""Looks for records of a topic from its end back to its beginning, no further than it is told to."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cdc.kafka import Bounds
from cdc.kafka_record import KafkaRecord, Place
from cdc.tail import TailedRecord
from cdc.topic_reader import TopicReader

WINDOW = 500
"""Offsets of each partition that are read at once where only some records are wanted."""

Decode = Callable[[KafkaRecord], TailedRecord]
Wanted = Callable[[TailedRecord], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a search goes before it stops, to be gone on with or not."""

    records: int  # that are given
    looked_at: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Records, newest first, and how far they were looked for.

    Args:
        looked_at: Offsets that were gone through.
        left: Offsets before those.
        back_to: When the oldest record that was looked at was recorded.
        ends: Partition -> where to go on before; none when there is nothing left.
    """

    records: list[TailedRecord]
    looked_at: int
    left: int
    back_to: datetime | None
    ends: Mapping[int, int]


@dataclass(slots=True)
class _Looked:
    records: list[TailedRecord] = field(default_factory=list)
    offsets: int = 0
    back_to: datetime | None = None


def search(
    reader: TopicReader,
    bounds: Mapping[Place, Bounds],
    ends: Mapping[Place, int],
    decode: Decode,
    wanted: Wanted | None,
    limits: Limits,
) -> Found:
    """Return the newest records before `ends`.

    Partitions are gone through side by side, so that records are newest first within each of them, and over all as far
    as what lies in a window of each is of the same time.

    Args:
        wanted: Which records count; None for all.

    Raises:
        TopicError: Kafka hands out nothing, or refuses to.
    """
    positions = {
        place: min(max(end, bounds[place].begin), bounds[place].end) for place, end in ends.items()
    }
    looked, stop_at = _Looked(), time.monotonic() + limits.seconds
    window = WINDOW if wanted else limits.records
    while len(looked.records) < limits.records and looked.offsets < limits.looked_at:
        ranges = {
            place: (max(bounds[place].begin, end - window), end)
            for place, end in positions.items()
            if end > bounds[place].begin
        }
        if not ranges or time.monotonic() > stop_at:
            break
        for record in _read(reader, ranges):
            shown = decode(record)
            looked.back_to = min(looked.back_to or shown.timestamp, shown.timestamp)
            if wanted is None or wanted(shown):
                looked.records.append(shown)
        looked.offsets += sum(end - begin for begin, end in ranges.values())
        positions |= {place: begin for place, (begin, _) in ranges.items()}
    return _found(looked, positions, bounds, limits.records)


def _read(reader: TopicReader, ranges: Mapping[Place, tuple[int, int]]) -> Iterator[KafkaRecord]:
    for portion in itertools.chain.from_iterable(reader.read(ranges)):
        yield from portion.records


def _found(
    looked: _Looked, positions: Mapping[Place, int], bounds: Mapping[Place, Bounds], most: int
) -> Found:
    newest_first = sorted(
        looked.records, key=lambda each: (each.timestamp, each.partition, each.offset), reverse=True
    )
    given, over = newest_first[:most], newest_first[most:]
    goes_on = {place.partition: position for place, position in positions.items()}
    for each in over:  # is given when the search goes on
        goes_on[each.partition] = max(goes_on[each.partition], each.offset + 1)
    left = sum(goes_on[place.partition] - bounds[place].begin for place in positions)
    return Found(
        records=given,
        looked_at=looked.offsets,
        left=left,
        back_to=looked.back_to,
        ends=goes_on if left else {},
    )
