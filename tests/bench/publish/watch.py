"""Watches a topic fill: which message came when, as its consumers see it."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from tests.bench.errors import BenchError
from tests.stack import RunningStack

BATCH = 2000
POLL_S = 0.1
TIMEOUT_S = 30.0


@dataclass(slots=True)
class Seen:
    """What came, each message once.

    Args:
        at: Message id -> when it first came, on `time.perf_counter`.
        repeated: Records of messages that had come before.
        disordered: Keys of which a version came before an earlier one.
    """

    at: dict[str, float] = field(default_factory=dict)
    repeated: int = 0
    disordered: set[bytes] = field(default_factory=set)
    newest: defaultdict[bytes, int] = field(default_factory=lambda: defaultdict(int))

    def take(self, key: bytes, headers: dict[str, bytes], now: float) -> None:
        """Take note of a record."""
        message_id = headers["ce_id"].decode()
        if message_id in self.at:
            self.repeated += 1
            return
        self.at[message_id] = now
        version = int(headers["aggregate_version"])
        if version != self.newest[key] + 1:
            self.disordered.add(key)
        self.newest[key] = max(version, self.newest[key])


class Watch:
    """Reads a topic from its beginning, in a thread.

    Args:
        stack: A running stack.
        topic: The topic.
    """

    def __init__(self, stack: RunningStack, topic: str) -> None:
        self.seen = Seen()
        self._consumer = Consumer(
            {
                "bootstrap.servers": stack.settings.kafka_bootstrap,
                "group.id": f"watch-{topic}",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        partitions = self._consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        self._stopped = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read nothing more."""
        self._stopped.set()
        self._thread.join()
        self._consumer.close()

    def wait_for(self, count: int, standstill_s: float) -> Seen:
        """Return what came, once that are so many messages.

        Args:
            count: How many.
            standstill_s: Longest time in which none comes, in seconds.

        Raises:
            BenchError: no more came.
        """
        known, since = -1, time.monotonic()
        while (now := len(self.seen.at)) < count:
            if self._failure is not None:
                raise BenchError(f"The topic cannot be read: {self._failure}")
            if now > known:
                known, since = now, time.monotonic()
            elif time.monotonic() - since > standstill_s:
                raise BenchError(f"There are still {now:,} messages of {count:,} in Kafka.")
            time.sleep(POLL_S)
        return self.seen

    def _read(self) -> None:
        try:
            while not self._stopped.is_set():
                # consume() would wait until there are as many as it may return
                first = self._consumer.poll(POLL_S)
                now = time.perf_counter()
                for record in [first, *self._consumer.consume(BATCH, 0)] if first else []:
                    self._take(record, now)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits
            self._failure = error

    def _take(self, record: Message, now: float) -> None:
        if error := record.error():
            raise KafkaException(error)
        headers = cast(dict[str, bytes], dict(cast(Any, record.headers()) or []))
        self.seen.take(record.key() or b"", headers, now)


@contextmanager
def watching(stack: RunningStack, topic: str) -> Iterator[Watch]:
    """Watch a topic until the block ends."""
    watch = Watch(stack, topic)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
