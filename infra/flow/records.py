"""Where the records of messages lie in Kafka, looked for from about the time on at which each message was written."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from uuid import UUID

from cdc.kafka import Bounds
from cdc.kafka_record import Place
from cdc.partitioning import partition_of
from cdc.topic_reader import TopicReader
from infra.flow.sources import Located
from infra.flow.tree import Sent

MOST = 20_000
"""Records that are looked through for a message; behind as many it is not found."""
SLACK = timedelta(seconds=5)
"""A record may be dated so much before the row that it comes from, by another machine's clock."""


@dataclass(frozen=True, slots=True)
class Search:
    """Where to look for a message: from an offset on, and to which."""

    message_id: UUID
    place: Place
    start: int
    bounds: Bounds

    @property
    def end(self) -> int:
        return min(self.start + MOST, self.bounds.end)

    @property
    def tells(self) -> bool:
        """Whether a message that is not found is not published: nothing was deleted there, and nothing left out."""
        begins = self.start > self.bounds.begin or self.bounds.begin == 0
        return begins and self.end == self.bounds.end


def find_records(bootstrap: str, messages: Sequence[Sent]) -> dict[UUID, Located | None]:
    """Return where records lie; None for a message that is not published, and nothing where that cannot be told.

    Raises:
        TopicError: Kafka cannot be asked.
    """
    found: dict[UUID, Located | None] = {}
    written = [each for each in messages if each.written_at]
    if not written:
        return found
    with TopicReader(bootstrap) as reader:
        searches = list(_searches(reader, written))
        found |= {each.message_id: None for each in searches if each.tells}
        ids = {str(each.message_id).encode(): each.message_id for each in searches}
        for ranges in rounds(searches):
            for portions in reader.read(ranges):
                for portion in portions:
                    for record in portion.records:
                        message_id = ids.pop(dict(record.headers).get("ce_id") or b"", None)
                        if message_id is not None:
                            found[message_id] = Located(
                                portion.place, record.offset, record.recorded_at
                            )
                if not ids:
                    return found
    return found


def _searches(reader: TopicReader, messages: Sequence[Sent]) -> Iterator[Search]:
    topics = reader.topics(*{each.topic for each in messages})
    for each in messages:
        topic = topics.get(each.topic)
        if topic is None or each.written_at is None:
            continue
        place = Place(each.topic, partition_of(each.key.encode(), topic.partitions))
        if (bounds := topic.bounds.get(place.partition)) is not None:
            start = reader.at(each.written_at - SLACK, {place: bounds})[place]
            yield Search(each.message_id, place, start, bounds)


def rounds(searches: Sequence[Search]) -> Iterator[Mapping[Place, tuple[int, int]]]:
    """Yield ranges that can be read together, one of each partition; those that overlap are one."""
    ranges: dict[Place, list[tuple[int, int]]] = defaultdict(list)
    for each in sorted(searches, key=lambda search: search.start):
        known = ranges[each.place]
        if known and each.start <= known[-1][1]:
            known[-1] = (known[-1][0], max(known[-1][1], each.end))
        else:
            known.append((each.start, each.end))
    for together in zip_longest(*ranges.values()):
        yield {place: each for place, each in zip(ranges, together, strict=True) if each}
