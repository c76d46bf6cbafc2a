"""How fast a topic fills, seen by its ends alone, so that looking takes nothing from what is measured."""

import time
from bisect import bisect_left

from confluent_kafka import Consumer, TopicPartition

from tests.bench.errors import BenchError
from tests.stack import RunningStack

LOOK_S = 0.05
TIMEOUT_S = 30.0
WARM_UP = 0.1
"""The part of all records that does not count: a publisher that starts is slow."""


class Ends:
    """The number of records in a topic, looked at again and again.

    Args:
        stack: A running stack.
        topic: The topic.
    """

    def __init__(self, stack: RunningStack, topic: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": stack.settings.kafka_bootstrap,
                "group.id": "ends",
                "log_level": 0,
            }
        )
        known = self._consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        self._places = [TopicPartition(topic, number) for number in known]

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def wait_for(self, count: int, standstill_s: float) -> tuple[list[float], list[int]]:
        """Wait until there are so many records; return when there were how many.

        Args:
            count: How many.
            standstill_s: Longest time in which none comes, in seconds.

        Returns:
            Times on `time.perf_counter`, and the numbers of records then.

        Raises:
            BenchError: no more came.
        """
        times, counts = list[float](), list[int]()
        moved = time.monotonic()
        while not counts or counts[-1] < count:
            now = self._records()
            times.append(time.perf_counter())
            if not counts or now > counts[-1]:
                moved = time.monotonic()
            elif time.monotonic() - moved > standstill_s:
                raise BenchError(f"There are still {now:,} records of {count:,} in Kafka.")
            counts.append(now)
            time.sleep(LOOK_S)
        return times, counts

    def rate(self, count: int, standstill_s: float) -> float:
        """Wait until there are so many records, and return how many came in a second once it was warm.

        Args:
            count: How many.
            standstill_s: Longest time in which none comes, in seconds.

        Raises:
            BenchError: no more came, or they came too fast to be seen coming.
        """
        times, counts = self.wait_for(count, standstill_s)
        warm = bisect_left(counts, max(1, int(count * WARM_UP)))
        if times[-1] - times[warm] < 4 * LOOK_S:
            raise BenchError("The records came too fast to be seen coming: ask for more events.")
        return (counts[-1] - counts[warm]) / (times[-1] - times[warm])

    def _records(self) -> int:
        marks = (
            self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_S) for place in self._places
        )
        return sum(high - low for low, high in marks)
