"""Checks of the pipeline: topics, schemas, connector, consumer groups, and a message through all of it."""

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from cdc import connector, topics
from infra.local import pipeline
from infra.local.doctor.check import Check, Trouble
from infra.registry_access import reading
from infra.services import WORKERS
from infra.settings import Settings
from schemas.catalogue import catalogue
from schemas.contracts import canonical
from schemas.registry import RegistryUnavailableError
from schemas.registry_subjects import Subjects

TIMEOUT_S = 10.0
WORRYING_LAG = 10_000


def _topics(settings: Settings) -> str:
    if missing := topics.missing(settings.kafka_bootstrap):
        names = ", ".join(topic.name for topic in missing)
        raise Trouble(f"missing: {names}", "run `make up`")
    return ", ".join(catalogue().topics)


def _schemas(settings: Settings) -> str:
    try:
        with Subjects.open(reading(settings)) as subjects:
            unpublished = [
                name
                for name in catalogue().messages
                if subjects.find(name, canonical(name)) is None
            ]
    except RegistryUnavailableError as error:
        raise Trouble(str(error), "see `make logs SERVICE=registry`") from error
    if unpublished:
        raise Trouble(f"not published: {', '.join(unpublished)}", "run `make schema-publish`")
    return f"{len(catalogue().messages)} published"


def _connector(settings: Settings) -> str:
    state = connector.status(settings.connect_url, connector.NAME)
    if not state.is_running:
        cause = f": {state.trace.splitlines()[0]}" if state.trace else ""
        raise Trouble(f"{state.connector}, its task {state.task}{cause}", "run `make up`")
    held = connector.show(settings.connect_url, connector.NAME)
    if held != connector.render(pipeline.connector_settings(settings)):
        raise Trouble("runs with other settings than these", "run `tailrace connector apply`")
    return "running, and so is its task"


def _groups(settings: Settings) -> str:
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap, "log_level": 0})
    if unstable := pipeline.unstable_groups(admin):
        listed = ", ".join(f"{name} ({state})" for name, state in unstable.items())
        raise Trouble(f"not at work: {listed}", "run `tailrace restart` with its name")
    lags = _lags(settings, admin)
    listed = ", ".join(f"{name} {lag}" for name, lag in lags.items())
    if max(lags.values()) > WORRYING_LAG:
        raise Trouble(f"far behind, messages to go: {listed}", "see the worker's log")
    return f"at work, messages to go: {listed}"


def _lags(settings: Settings, admin: AdminClient) -> dict[str, int]:
    """Group -> messages between what it has committed and the ends of its partitions."""
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "doctor"})
    try:
        return {
            worker.name: sum(_to_go(consumer, place) for place in _committed(admin, worker.name))
            for worker in WORKERS
        }
    finally:
        consumer.close()


def _committed(admin: AdminClient, group: str) -> list[TopicPartition]:
    answers = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    places = answers[group].result(TIMEOUT_S).topic_partitions
    return [place for place in places or [] if place.offset >= 0]


def _to_go(consumer: Consumer, place: TopicPartition) -> int:
    _, end = consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
    return max(0, end - place.offset)


def _canary(settings: Settings) -> str:
    return f"a message took {pipeline.send_canary(settings) * 1000:.0f} ms from commit to consumer"


PIPELINE_CHECKS = (
    Check("topics", _topics, needs=("kafka",)),
    Check("schemas", _schemas, needs=("registry",)),
    Check("connector", _connector, needs=("connect",)),
    Check("consumer groups", _groups, needs=("kafka", *(worker.name for worker in WORKERS))),
    Check("pipeline", _canary, needs=("connector", "topics", "schemas", "publication")),
)
