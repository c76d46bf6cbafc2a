"""Asking Kafka while a broker leaves or joins, by the errors that its client was seen to raise then."""

import socket
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented names
    AdminClient,
    BrokerMetadata,
    ClusterMetadata,
)

from cdc import kafka
from cdc.kafka import TopicError, ask, lost_of

NOBODY = "127.0.0.1:1"
"""Nothing is sent there: the client connects when it has something to say."""


class Question:
    """Has no answer until it was asked for the last time of several.

    Args:
        codes: What is raised each time before.
    """

    def __init__(self, *codes: int) -> None:
        self._codes = list(codes)
        self.asked: list[AdminClient] = []

    def __call__(self, admin: AdminClient) -> str:
        """Fail, or answer."""
        self.asked.append(admin)
        if self._codes:
            raise KafkaException(KafkaError(self._codes.pop(0)))
        return "answer"


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._DESTROY_BROKER,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.NOT_CONTROLLER,
    ],
)
def test_what_passes_soon_is_asked_again_with_another_client(code: int) -> None:
    question = Question(code, code)
    assert ask(NOBODY, question) == "answer"
    assert len({id(each) for each in question.asked}) == 3


def test_what_does_not_pass_is_said_at_once() -> None:
    question = Question(KafkaError.UNKNOWN_TOPIC_OR_PART)
    with pytest.raises(TopicError, match=r"cannot be asked .*UNKNOWN_TOPIC_OR_PART"):
        ask(NOBODY, question)
    assert len(question.asked) == 1


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "PATIENCE_S", 0.5)
    with pytest.raises(TopicError, match=r"_TIMED_OUT.*see `tailrace status`"):
        ask(NOBODY, Question(*[KafkaError._TIMED_OUT] * 100))


def test_a_broker_that_refuses_connections_is_lost_whoever_still_tells_of_it() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as alive:
        with closing(socket.create_server(("127.0.0.1", 0))) as ended:
            ports = [each.getsockname()[1] for each in (alive, ended)]
            assert lost_of(cluster_of(ports)) == set()
        assert lost_of(cluster_of(ports)) == {2}
        assert lost_of(cluster_of(ports[1:])) == set(), "the only one has told of itself"


def cluster_of(ports: list[int]) -> ClusterMetadata:
    cluster = ClusterMetadata()
    for number, port in enumerate(ports, 1):
        broker: Any = BrokerMetadata()
        broker.id, broker.host, broker.port = number, "127.0.0.1", port
        cluster.brokers[number] = broker
    return cluster
