"""Reading topics and groups in tests, with a plain Kafka client and none of the code under test."""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from tests.stack import RunningStack

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """A record as a plain client sees it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, str | None]


def records_of(
    stack: RunningStack, topic: str, *, until: UUID | None = None
) -> dict[str, list[SeenRecord]]:
    """Return all records of a topic by message id, in the order of their partitions.

    Args:
        stack: The running stack.
        topic: Topic to read from its beginning.
        until: Read on past today's end until this message is seen.

    Raises:
        TimeoutError: the message was not seen in time.
    """
    seen: dict[str, list[SeenRecord]] = defaultdict(list)
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        seen.clear()
        for record in _read(stack, topic):
            seen[record.headers.get("ce_id") or ""].append(record)
        if until is None or str(until) in seen:
            return dict(seen)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{until} did not reach {topic} within {TIMEOUT_S:g} s")


def _read(stack: RunningStack, topic: str) -> Iterator[SeenRecord]:
    consumer = Consumer(
        {
            "bootstrap.servers": stack.settings.kafka_bootstrap,
            "group.id": "test",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        partitions = set(consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        while partitions:
            record = consumer.poll(TIMEOUT_S)
            assert record is not None, f"{topic} does not answer"
            error = record.error()
            if error is None:
                yield SeenRecord(
                    record.partition() or 0,
                    record.offset() or 0,
                    record.key(),
                    record.value(),
                    _headers(record),
                )
            elif error.code() == KafkaError._PARTITION_EOF:
                partitions.discard(record.partition() or 0)
            else:
                raise AssertionError(f"{topic} cannot be read: {error}")
    finally:
        consumer.close()


def _headers(record: Message) -> dict[str, str | None]:
    headers = dict(record.headers() or [])
    return {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in headers.items()
    }
