"""A record that the broker refuses is not overtaken by the next of its key, handed over before the answer came."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from cdc.envelope import OutboxRow
from cdc.ids import new_id
from cdc.partitioning import partition_of
from cdc.reconciliation.spool import MissingRow
from cdc.records import open_producer, record_of, wait_for_answers
from cdc.recovery.publish import Publisher, PublishError
from cdc.relay.delivery import Delivery, Row
from tests.again import show
from tests.kafka import ends_of
from tests.produce import create_topic
from tests.stack import RunningStack

TRIALS = 8
REFUSED = 64_000
KEYS = "a", next(k for k in "bcdefgh" if partition_of(k.encode(), 2) != partition_of(b"a", 2))
"""Keys of different partitions."""


@pytest.fixture
def topic(stack: RunningStack) -> Iterator[str]:
    """A topic of two partitions that takes less than everybody supposes."""
    name = create_topic(stack, partitions=2, config={"max.message.bytes": "20000"})
    yield name
    AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap}).delete_topics([name])


def row(topic: str, key: str, payload: bytes) -> OutboxRow:
    return OutboxRow(
        seq=1,
        id=new_id(),
        topic=topic,
        aggregate_id=key,
        payload=payload,
        type="canary.CanaryEmitted",
        source="/canary",
        specversion="1.0",
        occurred_at=datetime.now(UTC),
        correlation_id=new_id(),
        causation_id=None,
        aggregate_version=None,
        traceparent=None,
    )


def rows_of(topic: str) -> tuple[OutboxRow, list[OutboxRow]]:
    """Return a good row, which makes the producer ready to send at once, and two of another partition."""
    good, key = KEYS
    two = [row(topic, key, payload) for payload in (os.urandom(REFUSED), b"small")]
    return row(topic, good, b"good"), two


def is_untouched(stack: RunningStack, topic: str) -> bool:
    return ends_of(stack, topic)[partition_of(KEYS[1].encode(), 2)] == 0


def test_librdkafka_alone_lets_it_be_overtaken(stack: RunningStack, topic: str) -> None:
    good, two = rows_of(topic)
    # nearly every time, but on a busy machine the refusal may come before the second one is prepared
    for _ in range(TRIALS):
        producer = open_producer(
            stack.settings.kafka_bootstrap,
            # or both are refused as one batch, when the client is slow to send the first one
            **{"enable.gapless.guarantee": True, "batch.num.messages": 1},
        )
        for each in (good, *two):
            record = record_of(each)
            # it takes nothing more when the refusal has come before the second one
            with suppress(KafkaException):
                producer.produce(topic, record.value, record.key)
            if each is good:
                assert wait_for_answers(producer, 10) == 0
        wait_for_answers(producer, 10)
        if not is_untouched(stack, topic):
            return
    show(False, f"nothing was overtaken in {TRIALS} trials")


def test_the_relay_lets_nothing_overtake_it(stack: RunningStack, topic: str) -> None:
    delivery = Delivery(stack.settings.kafka_bootstrap, message_timeout_s=10, delivery_s=8)
    good, two = rows_of(topic)

    def deliver(*rows: OutboxRow) -> list[str]:
        end = time.monotonic() + 60
        given = [Row("canary", each) for each in rows]
        refused = delivery.deliver(given, until=lambda: end, sign=lambda: None)
        return [each.because for each in refused]

    assert deliver(good) == []
    assert deliver(*two) == ["row", "behind"]
    assert is_untouched(stack, topic)


def test_a_recovery_lets_nothing_overtake_it(stack: RunningStack, topic: str) -> None:
    publisher = Publisher(stack.settings.kafka_bootstrap)
    good, two = rows_of(topic)

    def publish(*rows: OutboxRow) -> None:
        missing = [
            MissingRow(each.id, each.source, each.seq, str(each.occurred_at), record_of(each))
            for each in rows
        ]
        publisher.publish(topic, missing, lambda _: None)

    publish(good)
    with pytest.raises(PublishError, match="has refused"):
        publish(*two)
    assert is_untouched(stack, topic)
