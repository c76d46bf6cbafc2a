"""The log of publications: who registered which version of a subject, when, and from which git revision.

Registries have no place for it that all of them share, so it is a Kafka topic, kept forever, keyed by subject. The
reasons are in `docs/decisions/0010-who-published-what.md`.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import cached_property

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.catalogue import catalogue
from schemas.publisher import Publisher
from schemas.registry_subjects import Registered

TOPIC = "schema.publications"
TIMEOUT_S = 30.0


class PublicationLogError(Exception):
    """The log cannot be read or written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One version, published."""

    subject: str
    version: int
    schema_id: int
    published_at: datetime
    publisher: str
    # Git commit it came from, `-dirty` behind it when the schemas differed; None if unknown
    revision: str | None

    @classmethod
    def now(cls, subject: str, registered: Registered, by: Publisher) -> "Publication":
        return cls(
            subject=subject,
            version=registered.version,
            schema_id=registered.schema_id,
            published_at=datetime.now(UTC),
            publisher=by.name,
            revision=by.revision,
        )


class PublicationLog:
    """The log in one Kafka."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._configuration: dict[str, str | int | float | bool] = {
            "bootstrap.servers": bootstrap,
            "log_level": 0,  # what goes wrong is told once, by us
        }

    def require(self) -> None:
        """Make sure that the log is there, before something is done that must be noted in it."""
        self._partitions()

    def append(self, publication: Publication) -> None:
        """Note a publication, and return when Kafka has it safely."""
        failures: list[object] = []

        def delivered(error: object, _: Message) -> None:
            if error:
                failures.append(error)

        self._producer.produce(
            TOPIC, key=publication.subject, value=_to_json(publication), on_delivery=delivered
        )
        if self._producer.flush(TIMEOUT_S) or failures:
            reason = failures[0] if failures else "no answer"
            raise PublicationLogError(
                f"{publication.subject} is published as version {publication.version}, but who did it could not be "
                f"noted in topic {TOPIC} of Kafka at {self._bootstrap} ({reason}); its history will lack it"
            )

    @cached_property
    def _producer(self) -> Producer:
        return Producer(
            self._configuration
            | {
                "enable.idempotence": True,
                "delivery.timeout.ms": int(TIMEOUT_S * 1000),
                "message.max.bytes": catalogue().batch_bytes,
            }
        )

    def read(self, subject: str) -> list[Publication]:
        partitions = self._partitions()
        with closing(
            Consumer(self._configuration | {"group.id": TOPIC, "enable.auto.commit": False})
        ) as consumer:
            try:
                return [
                    _from_json(data)
                    for key, data in _records(consumer, partitions)
                    if key == subject
                ]
            except KafkaException as error:
                raise self._unavailable(error) from error

    def _partitions(self) -> list[int]:
        try:
            known = AdminClient(self._configuration).list_topics(timeout=TIMEOUT_S).topics
        except KafkaException as error:
            raise self._unavailable(error) from error
        if TOPIC not in known:
            raise PublicationLogError(
                f"Kafka at {self._bootstrap} has no topic {TOPIC}, where it is noted who publishes what: "
                "`make up` creates it locally; elsewhere create it with unlimited retention"
            )
        return list(known[TOPIC].partitions)

    def _unavailable(self, error: KafkaException) -> PublicationLogError:
        return PublicationLogError(
            f"Kafka at {self._bootstrap}, where it is noted who publishes what, cannot be asked ({error}); "
            "see `tailrace status`, or set TAILRACE_KAFKA_BOOTSTRAP"
        )


def _records(consumer: Consumer, partitions: list[int]) -> Iterator[tuple[str, bytes]]:
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), TIMEOUT_S)
        consumer.assign([TopicPartition(TOPIC, partition, low)])
        position = low
        while position < high:
            message = consumer.poll(TIMEOUT_S)
            if message is None:
                raise PublicationLogError(f"Kafka stopped delivering topic {TOPIC} at {position}")
            if message.error():
                raise KafkaException(message.error())
            position = (message.offset() or 0) + 1
            key, value = message.key(), message.value()
            if key and value:
                yield bytes(key).decode(), bytes(value)


def _to_json(publication: Publication) -> bytes:
    members = asdict(publication) | {"published_at": publication.published_at.isoformat()}
    return json.dumps(members).encode()


def _from_json(data: bytes) -> Publication:
    members = json.loads(data)
    members["published_at"] = datetime.fromisoformat(members["published_at"])
    known = (each.name for each in fields(Publication))  # a newer release may note more
    return Publication(**{name: members[name] for name in known})
