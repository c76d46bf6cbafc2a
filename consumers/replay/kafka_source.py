"""Reads ranges of Kafka's partitions as fast as the client goes, without belonging to a consumer group."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from cdc.kafka import TopicError
from cdc.kafka_record import Headers, KafkaRecord, Place
from cdc.topic_reader import Portion, TopicReader
from consumers.replay.errors import ReplayError
from consumers.replay.selection import Filter
from consumers.replay.source import BATCH, Batch, Fetch, Plan


class KafkaSource:
    """Reads the ranges of a plan out of Kafka."""

    def __init__(self, bootstrap: str, plan: Plan, chosen: Filter, mark: Headers = ()) -> None:
        self._plan = plan
        self._filter = chosen
        self._mark = list(mark)
        # a replay is bound by what is done with the records, and need not hold many of them
        self._reader = TopicReader(
            bootstrap, **{"queued.min.messages": 20_000, "queued.max.messages.kbytes": 65_536}
        )
        self._looks: Iterator[list[Portion]] = iter(())
        self._ends = {each.place: each.end for each in plan.ranges}
        self._positions = {each.place: each.begin for each in plan.ranges}
        self._chosen: defaultdict[Place, list[KafkaRecord]] = defaultdict(list)

    def begin(self, positions: Mapping[Place, int]) -> None:
        for place, begin in self._positions.items():
            self._positions[place] = min(max(begin, positions.get(place, begin)), self._ends[place])
        self._looks = self._reader.read(
            {place: (begin, self._ends[place]) for place, begin in self._positions.items()}
        )

    def fetch(self) -> Fetch | None:
        """Return the next batches, which may be none for now; None at the end of all ranges.

        Raises:
            ReplayError: Kafka hands out nothing any more, or refuses to.
        """
        try:
            portions = next(self._looks, None)
        except TopicError as error:
            raise ReplayError(str(error)) from error
        if portions is None:
            return None
        for place, records, position in portions:
            self._positions[place] = position
            self._chosen[place] += filter(self._filter.wants, map(self._marked, records))
        batches = []
        for place, chosen in self._chosen.items():
            # whole batches, as long as more is at hand
            is_last = not portions or self._positions[place] == self._ends[place]
            while len(chosen) >= BATCH or (chosen and is_last):
                batches.append(Batch(place, chosen[:BATCH]))
                del chosen[:BATCH]
        read = sum(self._positions.values()) - sum(each.begin for each in self._plan.ranges)
        return Fetch(batches, read)

    def origin(self, record: KafkaRecord) -> str:
        """Return where a record was taken from."""
        return f"{record.topic}/{record.partition}/{record.offset}"

    def complaint(self) -> str:
        return self._filter.complaint()

    def close(self) -> None:
        """Leave Kafka."""
        self._reader.close()

    def _marked(self, record: KafkaRecord) -> KafkaRecord:
        if not self._mark:
            return record
        return record._replace(headers=[*record.headers, *self._mark])
