"""Kafka as it is now: records by value, which topic goes by a name, and from where to where each partition is kept."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented names
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)

from cdc.kafka_record import Place
from cdc.listening import refuses

TIMEOUT_S = 5.0
"""How long an answer may take. A client that asked who left a moment ago would wait for longer in vain."""
PATIENCE_S = 20.0
"""For how long a question is asked again when what comes of it passes soon."""
STEADY: Mapping[str, str | int | bool] = {
    "reconnect.backoff.max.ms": 500,
    # A broker that shuts down, or goes on after it stood still, may tell of no brokers. librdkafka then forgets those
    # it has, and may never find them again whatever this says (its issue 5301). By default it may begin anew by itself
    # after five minutes, and abort the process when a request is under way then.
    "metadata.recovery.strategy": "none",
}
"""Settings of clients that are back soon after a broker is. One that is kept has to be opened anew when it is blind."""
PROMPT: Mapping[str, str | int | bool] = {**STEADY, "socket.nagle.disable": True}
"""The same of clients whose users wait for each message."""
_PASSES = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
    }
)
"""What is said of a partition while its topic is made or deleted."""
PASSES_SOON = frozenset(
    {
        "_ALL_BROKERS_DOWN",
        "_DESTROY_BROKER",
        "_TIMED_OUT",
        "_TRANSPORT",
        "BROKER_NOT_AVAILABLE",
        "FENCED_LEADER_EPOCH",
        "LEADER_NOT_AVAILABLE",
        "NETWORK_EXCEPTION",
        "NOT_CONTROLLER",
        "NOT_LEADER_FOR_PARTITION",
        "REQUEST_TIMED_OUT",
        "UNKNOWN_LEADER_EPOCH",
    }
)
"""What is said while a broker leaves or joins, and brokers do not agree yet on who is there and who leads."""
_PAUSE_S = 0.2
Answer = TypeVar("Answer")


class TopicError(Exception):
    """Kafka could not be asked about a topic, or refused to create or read it."""


class NoTopicError(TopicError):
    """Kafka does not have a topic."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What Kafka has of a partition.

    Args:
        begin: Offset of the oldest record, or of the next one when there is none.
        end: Offset of the next record, as far as committed.
    """

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic.

    Args:
        topic_id: What tells it from another topic that had, or will have, the same name.
        partitions: How many it has.
        bounds: What Kafka has of each partition; those are left out that nobody leads just now.
    """

    topic_id: str
    partitions: int
    bounds: Mapping[int, Bounds]

    @property
    def records(self) -> int:
        """How many records Kafka keeps of it, at most."""
        return sum(each.end - each.begin for each in self.bounds.values())


def new_admin(bootstrap: str) -> AdminClient:
    """Return a client that is back soon after a broker is."""
    return AdminClient(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 0,  # what goes wrong is told once, by us
            **STEADY,
        }
    )


class Admin:
    """A client of the cluster: one that gets no answer may have become blind, and is opened anew.

    Args:
        bootstrap: `host:port` of a broker.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._client = new_admin(bootstrap)

    @contextmanager
    def asking(self) -> Iterator[AdminClient]:
        """Give the client to ask with, and open it anew when that fails; by one thread at a time.

        Raises:
            KafkaException: what the client raised.
        """
        try:
            yield self._client
        except KafkaException:
            self._client = new_admin(self._bootstrap)
            raise

    def ask(self, question: Callable[[AdminClient], Answer]) -> Answer:
        """Return what Kafka answers; while a broker leaves or joins, it is asked again for `PATIENCE_S`.

        Args:
            question: What is asked. It waits for its answers itself: they end with the client that was asked.

        Raises:
            TopicError: Kafka cannot be asked.
        """
        deadline = time.monotonic() + PATIENCE_S
        with asking(self._bootstrap):
            while True:
                try:
                    with self.asking() as client:
                        return question(client)
                except KafkaException as error:
                    if error.args[0].name() not in PASSES_SOON or time.monotonic() > deadline:
                        raise
                    time.sleep(_PAUSE_S)


def ask(bootstrap: str, question: Callable[[AdminClient], Answer]) -> Answer:
    """Return what Kafka answers to a single question, as `Admin.ask` does."""
    return Admin(bootstrap).ask(question)


@contextmanager
def asking(bootstrap: str) -> Iterator[None]:
    """Turn into a TopicError what the client raises when Kafka does not answer."""
    try:
        yield
    except KafkaException as error:
        raise TopicError(
            f"Kafka at {bootstrap} cannot be asked ({error}); see `tailrace status`, or start the stack with `make up`"
        ) from error


def read_topics(
    admin: AdminClient, names: Collection[str], timeout_s: float = TIMEOUT_S
) -> dict[str, Topic]:
    """Return topics by name, without those that Kafka does not have.

    Args:
        admin: Client of the cluster.
        names: Which.
        timeout_s: How long each answer may take, in seconds.

    Raises:
        KafkaException: Kafka cannot be asked.
    """
    if not names:
        return {}
    # Asked of the controller, which librdkafka may not find again by itself after a broker stood still: it waited for
    # it until the timeout, again and again, while the broker answered. This finds a broker that can be used.
    cluster = admin.list_topics(min(names), timeout=timeout_s)
    lost = lost_of(cluster)
    if cluster.controller_id in lost:
        raise KafkaException(
            KafkaError(KafkaError._TRANSPORT, f"broker {cluster.controller_id} is lost")  # noqa: SLF001 - documented
        )
    answers = admin.describe_topics(TopicCollection(sorted(names)), request_timeout=timeout_s)
    described = dict(_answered(answers.items()))
    places = [
        TopicPartition(name, partition.id)
        for name, topic in described.items()
        for partition in topic.partitions
        if partition.leader and partition.leader.id not in lost
    ]
    bounds = _bounds(admin, places, timeout_s)
    return {
        name: Topic(
            str(topic.topic_id),
            len(topic.partitions),
            {place.partition: each for place, each in bounds.items() if place.topic == name},
        )
        for name, topic in described.items()
    }


def bounds_of(topics: Mapping[str, Topic]) -> dict[Place, Bounds]:
    """Return what Kafka has of each partition of topics."""
    return {
        Place(name, partition): bounds
        for name, topic in topics.items()
        for partition, bounds in topic.bounds.items()
    }


def places_of(topics: Mapping[str, Topic]) -> set[Place]:
    """Return all partitions of topics."""
    return {
        Place(name, partition)
        for name, topic in topics.items()
        for partition in range(topic.partitions)
    }


def shares_of(topics: Mapping[str, Topic]) -> int:
    """Return among how many members these topics can be dealt out: partitions of one number go to one member."""
    return max((topic.partitions for topic in topics.values()), default=0)


def retention(bootstrap: str, names: Iterable[str]) -> dict[str, timedelta | None]:
    """Return how long Kafka keeps the records of topics at least, None for ever.

    Args:
        bootstrap: `host:port` of a broker.
        names: Topics that exist.

    Raises:
        TopicError: Kafka cannot be asked.
        NoTopicError: It does not have one of them.
    """
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    kept: dict[str, timedelta | None] = {}

    def described(admin: AdminClient) -> dict[str, Any]:
        answers = admin.describe_configs(asked, request_timeout=TIMEOUT_S)
        return {
            each.name: _settings(bootstrap, each.name, answer) for each, answer in answers.items()
        }

    for name, entries in ask(bootstrap, described).items():
        milliseconds = int(entries["retention.ms"].value)
        # a topic that is only compacted keeps the newest record of a key whatever its age
        for_ever = milliseconds < 0 or "delete" not in entries["cleanup.policy"].value
        kept[name] = None if for_ever else timedelta(milliseconds=milliseconds)
    return kept


def _settings(bootstrap: str, topic: str, answer: Future[Any]) -> Any:
    try:
        return answer.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise NoTopicError(
                f"Kafka at {bootstrap} has no topic {topic}; see `tailrace topics list`"
            ) from error
        raise


def lost_of(cluster: ClusterMetadata) -> set[int]:
    """Return the brokers that refuse connections, although the others still tell of them.

    To be asked by no AdminClient: while it waits for one of them it connects some thousand times a second, whatever is
    set (confluent-kafka-dotnet 787). Ten consumers that looked after a loss took all of two processors. One that does
    not answer is for the client to find out, which then waits in peace.
    """
    brokers: Mapping[int, Any] = cluster.brokers
    if len(brokers) < 2:
        return set()  # the one that has just answered
    return {number for number, each in brokers.items() if refuses(each.host, each.port)}


def _bounds(
    admin: AdminClient, places: Sequence[TopicPartition], timeout_s: float
) -> dict[Place, Bounds]:
    # the class carries no types
    earliest, latest = cast(Any, OffsetSpec).earliest(), cast(Any, OffsetSpec).latest()
    begins = _offsets(admin, places, earliest, timeout_s)
    ends = _offsets(admin, places, latest, timeout_s)
    return {place: Bounds(begins[place], ends[place]) for place in begins.keys() & ends.keys()}


def _offsets(
    admin: AdminClient, places: Sequence[TopicPartition], spec: Any, timeout_s: float
) -> dict[Place, int]:
    if not places:
        return {}
    answers = admin.list_offsets(
        dict.fromkeys(places, spec),
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=timeout_s,
    )
    return {
        Place(place.topic, place.partition): answer.offset
        for place, answer in _answered(answers.items())
    }


def _answered(answers: Iterable[tuple[Any, Any]]) -> Iterable[tuple[Any, Any]]:
    """Yield what was answered, without what is being made or deleted just now."""
    for asked, answer in answers:
        try:
            yield asked, answer.result()
        except KafkaException as error:
            if error.args[0].code() not in _PASSES:
                raise
