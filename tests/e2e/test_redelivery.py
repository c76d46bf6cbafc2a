"""Whole topics delivered again change no effect."""

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from infra.local.probe import wait_until
from tests.kafka import records_of
from tests.orders import duplicates, effects, place, projection, wait_until_decided
from tests.stack import RunningStack

WORKERS = {
    "payments-worker": "order.events",
    "analytics-worker": "order.events",
    "orders-worker": "payment.events",
}


@pytest.mark.parametrize(("worker", "topic"), WORKERS.items())
def test_redelivering_a_whole_topic_changes_no_effect(
    stack: RunningStack, worker: str, topic: str
) -> None:
    ids = [place(stack, customer_id=name)["order_id"] for name in ("ada", "declined-bob", "cleo")]
    wait_until_decided(stack, ids)
    dropped, found, counted = duplicates(stack), effects(stack, ids), projection(stack)
    records = sum(len(copies) for copies in records_of(stack, topic).values())
    stack.stop(worker)
    rewind(stack, worker, topic)
    stack.start(worker)
    wait_until(
        f"{worker} has not gone through {records} records again",
        lambda: duplicates(stack) - dropped >= records,
        timeout_s=60,
    )
    assert duplicates(stack) - dropped == records
    assert effects(stack, ids) == found
    assert projection(stack) == counted


def rewind(stack: RunningStack, group: str, topic: str) -> None:
    """Put a consumer group that is not running back to the beginning of its topic."""
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap})
    partitions = admin.list_topics(topic, timeout=10).topics[topic].partitions
    beginning = [TopicPartition(topic, partition, 0) for partition in partitions]

    def try_rewind() -> bool:
        """Kafka refuses while it still takes the stopped worker for a member."""
        request = [ConsumerGroupTopicPartitions(group, beginning)]
        answers = admin.alter_consumer_group_offsets(request)
        return all(future.exception() is None for future in answers.values())

    wait_until(f"group {group} cannot be rewound", try_rewind, timeout_s=60, interval_s=0.5)
