"""Settings in Kafka against what is declared, by an admin client that says what it is told."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented names
    ClusterMetadata,
    ConfigResource,
    PartitionMetadata,
    TopicMetadata,
)

from cdc import kafka
from cdc.topic_settings import setting_differences
from schemas.catalogue import catalogue

NOBODY = "127.0.0.1:1"


class Told:
    """Knows these topics when it is asked for the first time, and none any more from then on."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def list_topics(self, timeout: float) -> ClusterMetadata:
        del timeout
        cluster = ClusterMetadata()
        for name in self._names:
            partition: Any = PartitionMetadata()
            partition.replicas = [1]
            cluster.topics[name] = TopicMetadata()
            cluster.topics[name].partitions = {0: partition}
        self._names = ()
        return cluster

    def describe_configs(
        self, resources: list[ConfigResource], **_: object
    ) -> dict[ConfigResource, Future[dict[str, Any]]]:
        answer: Future[dict[str, Any]] = Future()
        answer.set_result({})
        return dict.fromkeys(resources, answer)


def test_a_topic_that_goes_while_it_is_asked_about_is_told_of_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = next(iter(catalogue().topics))
    told = Told(name)
    monkeypatch.setattr(kafka, "new_admin", lambda _: told)
    found = {(each.place, each.name) for each in setting_differences(NOBODY, 2)}
    assert {(name, "partitions"), (name, "replicas"), (name, "retention.ms")} <= found
    assert {place for place, _ in found} == {name}
