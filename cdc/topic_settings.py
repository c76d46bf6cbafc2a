"""The settings of the catalogue's topics and of the broker in Kafka, held against what is declared of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented names
    AdminClient,
    AlterConfigOpType,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)
from confluent_kafka.cimpl import NewPartitions

from cdc.kafka import TIMEOUT_S, TopicError, ask, new_admin
from cdc.topics import config_of, needed_in_sync
from schemas.catalogue import Topic, catalogue

ONE_BROKER = ConfigSource.DYNAMIC_BROKER_CONFIG
BY_HAND = frozenset({ONE_BROKER, ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG})
"""Where settings of a broker come from that were given to it while it ran, and not by its configuration."""
BROKER = "the broker"
PARTITIONS = "partitions"
REPLICAS = "replicas"
INTERNAL = (
    "__consumer_offsets",
    "__transaction_state",
    "connect-configs",
    "connect-offsets",
    "connect-status",
)
"""Topics that brokers and Connect make by themselves, and without which nothing goes on."""
IN_SYNC = "min.insync.replicas"
"""Kept by the controller itself as a setting of the cluster, which refuses to take it back."""
AUTO_CREATE = "auto.create.topics.enable"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingDifference:
    """A setting that is not as declared."""

    place: str
    name: str
    declared: str | None  # what is declared; None where nothing is
    actual: str | None  # what it is; None where it is not set
    # by what it is mended: `settings` are put back, `partitions` can be added, with `neither` nothing helps
    mend: Literal["settings", "partitions", "neither"]


def setting_differences(bootstrap: str, replication: int) -> list[SettingDifference]:
    """Return which settings of topics and broker are not as declared; topics that are missing are not told of.

    Args:
        bootstrap: `host:port` of a broker.
        replication: How many brokers are to keep each record, at least.
    """
    return ask(bootstrap, lambda admin: _differences(admin, replication))


def mend_settings(bootstrap: str, replication: int, *, add_partitions: bool = False) -> list[str]:
    """Put the settings back to what is declared; return a line for each that was.

    Args:
        bootstrap: `host:port` of a broker.
        replication: How many brokers are to keep each record, at least.
        add_partitions: Add partitions as well where there are fewer than declared. Keys move by that: what is written
            of a key then may be read before what is unread of it now.
    """
    found = setting_differences(bootstrap, replication)
    mended = [
        each
        for each in found
        if each.mend == "settings" or (each.mend == "partitions" and add_partitions)
    ]
    admin = new_admin(bootstrap)
    try:
        for each in mended:
            _mend(admin, each)
    except KafkaException as error:
        raise TopicError(f"Kafka at {bootstrap} refuses to change a setting: {error}") from error
    return [f"{each.place}: {each.name} {each.declared or 'not set'} again" for each in mended]


def _differences(admin: AdminClient, replication: int) -> list[SettingDifference]:
    cluster = admin.list_topics(timeout=TIMEOUT_S)
    topics = [each for each in catalogue().topics.values() if each.name in cluster.topics]
    return [
        *_partitions(cluster, topics),
        *_replicas(cluster, topics, replication),
        *_settings(admin, topics),
        *_broker(admin, cluster, replication),
    ]


def _partitions(cluster: ClusterMetadata, topics: Sequence[Topic]) -> Iterator[SettingDifference]:
    for topic in topics:
        count = len(cluster.topics[topic.name].partitions)
        if count != topic.partitions:
            yield SettingDifference(
                place=topic.name,
                name=PARTITIONS,
                declared=str(topic.partitions),
                actual=str(count),
                mend="partitions" if count < topic.partitions else "neither",
            )


def _replicas(
    cluster: ClusterMetadata, topics: Sequence[Topic], replication: int
) -> Iterator[SettingDifference]:
    known = cluster.topics
    for name in (*(topic.name for topic in topics), *(each for each in INTERNAL if each in known)):
        kept = (len(partition.replicas) for partition in known[name].partitions.values())
        fewest = min(kept, default=replication)
        if fewest < replication:
            yield SettingDifference(
                place=name,
                name=REPLICAS,
                declared=str(replication),
                actual=str(fewest),
                mend="neither",
            )


def _settings(admin: AdminClient, topics: Sequence[Topic]) -> Iterator[SettingDifference]:
    given = _described(admin, ResourceType.TOPIC, [topic.name for topic in topics])
    own = ConfigSource.DYNAMIC_TOPIC_CONFIG
    for topic in topics:
        actual = {
            each.name: str(each.value)
            for each in given[topic.name]
            if ConfigSource(each.source) is own
        }
        declared = config_of(topic)
        for name in sorted(declared.keys() | actual.keys()):
            if declared.get(name) != actual.get(name):
                yield SettingDifference(
                    place=topic.name,
                    name=name,
                    declared=declared.get(name),
                    actual=actual.get(name),
                    mend="settings",
                )


def _broker(
    admin: AdminClient, cluster: ClusterMetadata, replication: int
) -> Iterator[SettingDifference]:
    in_sync = needed_in_sync(replication)
    for number in map(str, cluster.brokers):
        for entry in _described(admin, ResourceType.BROKER, [number])[number]:
            if entry.name == AUTO_CREATE and entry.value != "false":
                yield SettingDifference(
                    place=BROKER,
                    name=entry.name,
                    declared="false",
                    actual=entry.value,
                    mend="neither",
                )
            elif entry.name == IN_SYNC and int(entry.value or 1) < in_sync:
                yield SettingDifference(
                    place=BROKER,
                    name=entry.name,
                    declared=str(in_sync),
                    actual=entry.value,
                    mend="neither",
                )
            elif ConfigSource(entry.source) in BY_HAND and entry.name != IN_SYNC:
                yield SettingDifference(
                    place=BROKER,
                    name=entry.name,
                    declared=None,
                    actual=entry.value,
                    # librdkafka has no name for what is set for all brokers
                    mend="settings" if ConfigSource(entry.source) is ONE_BROKER else "neither",
                )


def _described(
    admin: AdminClient, kind: ResourceType, names: Sequence[str]
) -> dict[str, list[ConfigEntry]]:
    if not names:
        return {}
    resources = [ConfigResource(kind, name) for name in names]
    answers = admin.describe_configs(resources, request_timeout=TIMEOUT_S)
    return {each.name: list(answer.result().values()) for each, answer in answers.items()}


def _mend(admin: AdminClient, difference: SettingDifference) -> None:
    if difference.name == PARTITIONS:
        wanted = NewPartitions(difference.place, int(difference.declared or 0))
        [answer] = admin.create_partitions([wanted], request_timeout=TIMEOUT_S).values()
        answer.result()
        return
    for resource in _resources(admin, difference.place):
        operation = AlterConfigOpType.SET if difference.declared else AlterConfigOpType.DELETE
        resource.add_incremental_config(
            ConfigEntry(difference.name, difference.declared, incremental_operation=operation)
        )
        [answer] = admin.incremental_alter_configs([resource], request_timeout=TIMEOUT_S).values()
        answer.result()


def _resources(admin: AdminClient, place: str) -> list[ConfigResource]:
    if place != BROKER:
        return [ConfigResource(ResourceType.TOPIC, place)]
    names = map(str, admin.list_topics(timeout=TIMEOUT_S).brokers)
    return [ConfigResource(ResourceType.BROKER, name) for name in names]
