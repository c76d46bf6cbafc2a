"""Which brokers lack what they are to keep a copy of."""

from collections import Counter
from collections.abc import Mapping

from cdc.kafka import TIMEOUT_S, ask


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
