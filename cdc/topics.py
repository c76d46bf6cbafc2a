"""Creates the topics of the catalogue in Kafka."""

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.catalogue import Topic, catalogue

TIMEOUT_S = 30.0


class TopicError(Exception):
    """Kafka could not be asked, or refused to create a topic."""


def missing(bootstrap: str) -> list[Topic]:
    """Return the topics of the catalogue that Kafka does not have.

    Args:
        bootstrap: `host:port` of a broker.

    Raises:
        TopicError: Kafka cannot be asked.
    """
    try:
        known = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=TIMEOUT_S).topics
    except KafkaException as error:
        raise TopicError(f"Kafka at {bootstrap} cannot be asked: {error}") from error
    return [topic for topic in catalogue().topics.values() if topic.name not in known]


def ensure(bootstrap: str, *, replication: int = 1) -> list[str]:
    """Create the catalogue's topics that are missing; existing ones are left as they are.

    Args:
        bootstrap: `host:port` of a broker.
        replication: Copies of each partition.

    Returns:
        Names of the topics created.

    Raises:
        TopicError: Kafka cannot be asked or refuses a topic.
    """
    topics = missing(bootstrap)
    if not topics:
        return []
    admin = AdminClient({"bootstrap.servers": bootstrap})
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


def _definition(topic: Topic, replication: int) -> NewTopic:
    retention_ms = topic.retention_hours * 3600 * 1000
    return NewTopic(
        topic.name,
        num_partitions=topic.partitions,
        replication_factor=replication,
        config={"retention.ms": str(retention_ms), "cleanup.policy": "delete"},
    )
