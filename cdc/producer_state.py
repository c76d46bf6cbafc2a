"""In which partitions the broker knows a producer, and so refuses what would overtake a record of it.

An idempotent producer numbers the batches of each partition, and the broker refuses one that does not follow the last.
Of a producer that it does not know yet in a partition it takes any number for the first. If it refuses the first batch
(too large, say), it would take the second, which librdkafka sends even so. That is why the first record of a producer
to a partition has to be confirmed before the next one is handed over.
"""

import time
from functools import lru_cache

from confluent_kafka import Producer

from cdc.partitioning import partition_of

KNOWN_S = 3600.0
"""How long a partition counts as known: much shorter than `producer.id.expiration.ms`, by default a day."""
ASK_S = 1.0


class ProducerState:
    """Tells which records have to be confirmed before the next one is handed over."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._unknown: dict[str, tuple[int, set[int]]] = {}
        self._since = time.monotonic()

    def is_first(self, topic: str, key: bytes) -> bool:
        """Whether a record is the first of the producer in its partition; a second call about it says no."""
        if time.monotonic() - self._since > KNOWN_S:
            self._unknown.clear()
            self._since = time.monotonic()
        if topic not in self._unknown:
            found = self._producer.list_topics(topic, timeout=ASK_S).topics[topic]
            if not found.partitions:
                return False
            self._unknown[topic] = len(found.partitions), set(found.partitions)
        partitions, unknown = self._unknown[topic]
        if not unknown:
            return False
        partition = _partition_of(key, partitions)
        is_first = partition in unknown
        unknown.discard(partition)
        return is_first


_partition_of = lru_cache(4096)(partition_of)
