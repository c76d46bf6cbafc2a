"""The topics of the catalogue in Kafka: creating them, how full they are, and which brokers lack copies."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from cdc.kafka import PASSES_SOON, TIMEOUT_S, TopicError, ask, read_topics
from schemas.catalogue import Topic, catalogue

CREATION_S = 30.0


@dataclass(frozen=True, slots=True)
class Summary:
    """A topic of the catalogue and the number of records Kafka keeps of it; None when the topic is missing."""

    topic: Topic
    records: int | None


def names(bootstrap: str) -> frozenset[str]:
    """Return the names of all topics that Kafka has.

    Args:
        bootstrap: `host:port` of a broker.

    Raises:
        TopicError: Kafka cannot be asked.
    """
    return frozenset(ask(bootstrap, lambda admin: admin.list_topics(timeout=TIMEOUT_S).topics))


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
    create(bootstrap, [_definition(topic, replication) for topic in topics])
    return [topic.name for topic in topics]


def create(bootstrap: str, topics: Sequence[NewTopic]) -> None:
    """Create topics; one that is there already is left as it is.

    Args:
        bootstrap: `host:port` of a broker.
        topics: Which, at least one.

    Raises:
        TopicError: Kafka cannot be asked, or refuses one.
    """
    ask(bootstrap, lambda admin: _create(admin, topics))


def _create(admin: AdminClient, topics: Sequence[NewTopic]) -> None:
    for name, answer in admin.create_topics(list(topics), operation_timeout=CREATION_S).items():
        try:
            answer.result()
        except KafkaException as error:
            refusal = error.args[0]
            if refusal.name() in PASSES_SOON:
                raise
            if refusal.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicError(f"Kafka refused to create topic {name}: {error}") from error


def summaries(bootstrap: str) -> list[Summary]:
    """Return how many records Kafka keeps of each topic of the catalogue.

    Args:
        bootstrap: `host:port` of a broker.

    Raises:
        TopicError: Kafka cannot be asked.
    """
    declared = catalogue().topics
    found = ask(bootstrap, lambda admin: read_topics(admin, declared))
    return [
        Summary(topic, found[name].records if name in found else None)
        for name, topic in declared.items()
    ]


def behind(bootstrap: str) -> Mapping[int, int]:
    """Return broker -> of how many partitions its copy is not in step, or away with it; none when all are.

    Args:
        bootstrap: `host:port` of a broker.

    Raises:
        TopicError: Kafka cannot be asked.
    """
    topics = ask(bootstrap, lambda admin: admin.list_topics(timeout=TIMEOUT_S).topics)
    return Counter(
        broker
        for topic in topics.values()
        for partition in topic.partitions.values()
        for broker in partition.replicas
        if broker not in partition.isrs
    )


def needed_in_sync(replication: int) -> int:
    """Return how many of the brokers that keep a record must have it before it is acknowledged: all but one."""
    return max(1, replication - 1)


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
