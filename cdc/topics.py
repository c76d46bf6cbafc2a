"""The topics of the catalogue in Kafka: creating them, and how full they are."""

from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.catalogue import Topic, catalogue

TIMEOUT_S = 30.0


class TopicError(Exception):
    """Kafka could not be asked about a topic, or refused to create or read it."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A topic of the catalogue and the number of records Kafka keeps of it; None when the topic is missing."""

    topic: Topic
    records: int | None


def names(bootstrap: str) -> frozenset[str]:
    try:
        admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        return frozenset(admin.list_topics(timeout=TIMEOUT_S).topics)
    except KafkaException as error:
        raise TopicError(f"Kafka at {bootstrap} cannot be asked: {error}") from error


def missing(bootstrap: str) -> list[Topic]:
    """Return the topics of the catalogue that Kafka does not have."""
    known = names(bootstrap)
    return [topic for topic in catalogue().topics.values() if topic.name not in known]


def ensure(bootstrap: str, *, replication: int = 1) -> list[str]:
    """Create the catalogue's topics that are missing; existing ones are left as they are.

    Returns:
        Names of the topics created.
    """
    topics = missing(bootstrap)
    if not topics:
        return []
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    created = admin.create_topics(
        [_definition(topic, replication) for topic in topics], operation_timeout=TIMEOUT_S
    )
    for name, future in created.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicError(f"Kafka refused to create topic {name}: {error}") from error
    return list(created)


def summaries(bootstrap: str) -> list[Summary]:
    """Return how many records Kafka keeps of each topic of the catalogue."""
    absent = missing(bootstrap)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "summary"})
    try:
        return [
            Summary(topic, None if topic in absent else _records(consumer, topic.name))
            for topic in catalogue().topics.values()
        ]
    except KafkaException as error:
        raise TopicError(f"Kafka at {bootstrap} cannot be asked: {error}") from error
    finally:
        consumer.close()


def _records(consumer: Consumer, topic: str) -> int:
    partitions = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
    marks = [
        consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)
        for partition in partitions
    ]
    return sum(high - low for low, high in marks)


def config_of(topic: Topic) -> dict[str, str]:
    """Return the settings that a topic is created with, all that it has of its own."""
    forever = topic.retention_hours < 0
    retention_ms = -1 if forever else topic.retention_hours * 3600 * 1000
    return {
        "retention.ms": str(retention_ms),
        "cleanup.policy": "delete",
        "max.message.bytes": str(catalogue().batch_bytes),
    }


def _definition(topic: Topic, replication: int) -> NewTopic:
    return NewTopic(
        topic.name,
        num_partitions=topic.partitions,
        replication_factor=replication,
        config=config_of(topic),
    )
