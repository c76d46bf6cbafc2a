"""Reading topics and groups in tests, with a plain Kafka client and none of the code under test."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupState,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented name
    AdminClient,
    ConsumerGroupDescription,
)

from infra.local.probe import wait_until
from tests.stack import RunningStack

TIMEOUT_S = 30.0
LOOK_S = 0.2  # each look begins a client of its own, and reads a whole topic
LEADERLESS = frozenset(
    {
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
"""What is said of a partition right after a broker stood still: that nobody leads it, in one way or another."""


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """A record as a plain client sees it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as bytes, its headers in their order; equal to another one that differs in its offset only."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group as the broker knows it."""

    is_stable: bool
    members: dict[str, list[tuple[str, int]]]
    """The partitions that each member holds, by the member's id."""


def records_of(
    stack: RunningStack, topic: str, *, until: UUID | None = None
) -> dict[str, list[SeenRecord]]:
    """Return all records of a topic by message id, in the order of their partitions.

    Args:
        stack: The running stack.
        topic: Topic to read from its beginning.
        until: Read on past today's end until this message is seen.

    Raises:
        ProbeTimeoutError: the message was not seen in time.
    """
    seen: dict[str, list[SeenRecord]] = defaultdict(list)

    def seen_enough() -> bool:
        seen.clear()
        for record in _read(stack, topic):
            seen[record.headers.get("ce_id") or ""].append(record)
        return until is None or str(until) in seen

    what = f"{until} has not reached {topic}"
    wait_until(what, seen_enough, timeout_s=TIMEOUT_S, interval_s=LOOK_S)
    return dict(seen)


def raw_records(
    stack: RunningStack, topic: str, *, message_id: UUID, count: int
) -> list[RawRecord]:
    """Return the records of one message as they lie in a topic, once there are so many.

    Raises:
        ProbeTimeoutError: there were fewer.
    """
    found: list[RawRecord] = []

    def all_there() -> bool:
        records = map(_raw, _messages(stack, topic))
        wanted = ("ce_id", str(message_id).encode())
        found[:] = [record for record in records if wanted in record.headers]
        return len(found) >= count

    what = f"{message_id} is not {count} times in {topic}"
    wait_until(what, all_there, timeout_s=TIMEOUT_S, interval_s=LOOK_S)
    return found


def committed(stack: RunningStack, group: str, topic: str, partition: int = 0) -> int | None:
    """Return the offset at which a consumer group would go on in a partition; None when it has none."""
    consumer = Consumer({"bootstrap.servers": stack.settings.kafka_bootstrap, "group.id": group})
    try:
        [place] = consumer.committed([TopicPartition(topic, partition)], timeout=TIMEOUT_S)
    finally:
        consumer.close()
    return place.offset if place.offset >= 0 else None


def group_of(stack: RunningStack, group: str) -> Group:
    """Return a consumer group; one that the broker does not know has no members."""
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap, "log_level": 0})
    found: list[ConsumerGroupDescription] = []

    def described() -> bool:
        [answer] = admin.describe_consumer_groups([group], request_timeout=TIMEOUT_S).values()
        try:
            found.append(answer.result())
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
        return bool(found)

    wait_until(f"the broker does not describe {group}", described, timeout_s=TIMEOUT_S)
    members = {
        member.member_id: [(tp.topic, tp.partition) for tp in member.assignment.topic_partitions]
        for member in found[0].members
    }
    return Group(found[0].state == ConsumerGroupState.STABLE, members)


def ends_of(stack: RunningStack, topic: str) -> dict[int, int]:
    """Return the offset of the next record in each partition of a topic."""
    return {partition: end for partition, (_, end) in bounds_of(stack, topic).items()}


def bounds_of(stack: RunningStack, topic: str) -> dict[int, tuple[int, int]]:
    """Return the offsets of the first record and of the next one in each partition of a topic."""
    found: dict[int, tuple[int, int]] = {}

    def is_known() -> bool:
        try:
            found.update(_bounds_of(stack, topic))
        except KafkaException as error:
            if error.args[0].code() not in LEADERLESS:
                raise
            return False
        return True

    wait_until("partitions have no leader", is_known, timeout_s=TIMEOUT_S, interval_s=LOOK_S)
    return found


def _bounds_of(stack: RunningStack, topic: str) -> dict[int, tuple[int, int]]:
    consumer = Consumer({"bootstrap.servers": stack.settings.kafka_bootstrap, "group.id": "test"})
    try:
        return {
            partition: consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=TIMEOUT_S
            )
            for partition in consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        }
    finally:
        consumer.close()


def _read(stack: RunningStack, topic: str) -> Iterator[SeenRecord]:
    for record in _messages(stack, topic):
        yield SeenRecord(
            record.partition() or 0,
            record.offset() or 0,
            record.key(),
            record.value(),
            _headers(record),
        )


def _messages(stack: RunningStack, topic: str) -> Iterator[Message]:
    """Yield what a topic holds until today's end."""
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
        # which is not 0 once records were deleted, and from 0 on a client would go on at the end
        consumer.assign([TopicPartition(topic, each, OFFSET_BEGINNING) for each in partitions])
        while partitions:
            record = consumer.poll(TIMEOUT_S)
            assert record is not None, f"{topic} does not answer"
            error = record.error()
            if error is None:
                yield record
            elif error.code() == KafkaError._PARTITION_EOF:
                partitions.discard(record.partition() or 0)
            else:
                raise AssertionError(f"{topic} cannot be read: {error}")
    finally:
        consumer.close()


def _raw(record: Message) -> RawRecord:
    pairs = cast(Sequence[tuple[str, str | bytes | None]], record.headers() or [])
    headers = tuple((name, _bytes(value)) for name, value in pairs)
    return RawRecord(record.partition() or 0, record.key(), record.value(), headers)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _headers(record: Message) -> dict[str, str | None]:
    headers = dict(record.headers() or [])
    return {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in headers.items()
    }
