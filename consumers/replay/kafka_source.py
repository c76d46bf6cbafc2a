"""Reads ranges of Kafka's partitions as fast as the client goes, without belonging to a consumer group."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from consumers.replay.errors import ReplayError
from consumers.replay.kafka_plan import reader_settings
from consumers.replay.selection import Filter
from consumers.replay.source import BATCH, Batch, Fetch, Plan, SourceRecord
from consumers.runtime.delivery import Headers
from consumers.runtime.store import Place

FETCH_S = 0.1
"""How long a fetch waits for a full batch."""
SILENCE_S = 30.0
"""How long Kafka may hand out nothing."""


@dataclass(slots=True)
class _Cursor:
    """How far a partition was read."""

    place: Place
    position: int
    end: int
    chosen: list[SourceRecord] = field(default_factory=list)

    def take(self) -> Batch:
        batch, self.chosen = Batch(self.place, self.chosen[:BATCH]), self.chosen[BATCH:]
        return batch


class KafkaSource:
    """Reads the ranges of a plan out of Kafka."""

    def __init__(self, bootstrap: str, plan: Plan, chosen: Filter, mark: Headers = ()) -> None:
        self._plan = plan
        self._filter = chosen
        self._mark = list(mark)
        self._consumer = Consumer(
            reader_settings(bootstrap)
            # a replay is bound by what is done with the records, and need not hold many of them
            | {"queued.min.messages": 20_000, "queued.max.messages.kbytes": 65_536}
        )
        self._open: dict[Place, _Cursor] = {}
        self._done = 0
        self._heard_at = 0.0

    def begin(self, positions: Mapping[Place, int]) -> None:
        """Begin to read.

        Args:
            positions: Where to begin in each partition; what lies before is counted as read.
        """
        for each in self._plan.ranges:
            position = max(each.begin, positions.get(each.place, each.begin))
            if position < each.end:
                self._open[each.place] = _Cursor(each.place, position, each.end)
        self._consumer.assign(
            [TopicPartition(*place, cursor.position) for place, cursor in self._open.items()]
        )
        self._heard_at = time.monotonic()

    def fetch(self) -> Fetch | None:
        """Return the next batches, which may be none for now; None at the end of all ranges."""
        if not self._open:
            return None
        messages = self._consumer.consume(BATCH, FETCH_S)
        finished = self._sort(messages)
        if messages:
            self._heard_at = time.monotonic()
        elif time.monotonic() - self._heard_at > SILENCE_S:
            raise ReplayError(
                f"Kafka has handed out nothing for {SILENCE_S:g} s; see `tailrace status`"
            )
        batches = []
        for cursor in self._open.values():
            # whole batches, as long as more is at hand
            while len(cursor.chosen) >= BATCH or (cursor.chosen and not messages):
                batches.append(cursor.take())
        for place in finished:
            cursor = self._open.pop(place)
            while cursor.chosen:
                batches.append(cursor.take())
        if finished:
            self._consumer.incremental_unassign([TopicPartition(*place) for place in finished])
        return Fetch(batches, self._read())

    def origin(self, record: SourceRecord) -> str:
        return f"{record.topic}/{record.partition}/{record.offset}"

    def complaint(self) -> str:
        return self._filter.complaint()

    def close(self) -> None:
        self._consumer.close()

    def _sort(self, messages: Sequence[Message]) -> list[Place]:
        """Give each record to its partition, if it is meant; return the partitions that are read to their end."""
        finished = []
        place, cursor = None, None
        for message in messages:
            here = Place(cast(str, message.topic()), cast(int, message.partition()))
            if here != place:
                place, cursor = here, self._open.get(here)
            if cursor is None or cursor.position >= cursor.end:
                continue
            if (error := message.error()) is not None:
                self._require_end(error, place)
                cursor.position = cursor.end
            elif (offset := cast(int, message.offset())) >= cursor.end:
                cursor.position = cursor.end
            else:
                cursor.position = offset + 1
                record = self._record(message, here, offset)
                if self._filter.wants(record):
                    cursor.chosen.append(record)
            if cursor.position >= cursor.end:
                finished.append(here)
        return finished

    def _record(self, message: Message, place: Place, offset: int) -> SourceRecord:
        headers = cast(list[tuple[str, bytes | None]], message.headers() or [])
        return SourceRecord(
            place.topic,
            place.partition,
            offset,
            message.timestamp()[1],
            message.key(),
            message.value(),
            headers + self._mark,
        )

    def _require_end(self, error: KafkaError, place: Place) -> None:
        if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            raise ReplayError(f"{place.topic}/{place.partition} cannot be read: {error}")

    def _read(self) -> int:
        left = sum(cursor.end - cursor.position for cursor in self._open.values())
        return sum(each.end - each.begin for each in self._plan.ranges) - left
