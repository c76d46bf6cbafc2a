"""Publishes messages again to another topic: bytes, key and headers as they were, and where they were taken from."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.cimpl import NewTopic

from cdc import topics
from cdc.kafka import TIMEOUT_S, TopicError, ask
from cdc.kafka_record import KafkaRecord
from cdc.records import open_producer, take_answers, wait_for_answers
from consumers.replay.engine import Moved, Pace, Tell
from consumers.replay.errors import ReplayError
from consumers.replay.source import Batch, Plan, Source
from consumers.runtime.delivery import REPLAYED_FROM
from consumers.runtime.store import Place
from schemas.catalogue import TOPIC_NAME

QUEUE_FULL_WAIT_S = 0.1

Note = Callable[[Place, int], None]
"""Notes where a partition goes on: all that lies before has been published."""


def require_topic(bootstrap: str, name: str, plan: Plan, *, create: bool) -> None:
    """Make sure that there is a topic to publish to.

    Args:
        create: Create it when it is missing, with as many partitions as the topic that is read has.

    Raises:
        ReplayError: it is one that is read, it is missing, or Kafka refuses it.
    """
    read = {each.place.topic for each in plan.ranges}
    if name in read:
        raise ReplayError(
            f"{name} is what is read: published to itself, every message would be there twice; name another topic"
        )
    try:
        known = ask(bootstrap, lambda admin: admin.list_topics(timeout=TIMEOUT_S).topics)
        if name in known:
            return
        if not create:
            raise ReplayError(f"Kafka has no topic {name}; --create makes it")
        if not TOPIC_NAME.fullmatch(name):
            raise ReplayError(f"{name!r} is no name for a topic: letters, digits, and . _ - only")
        partitions = max((len(known[topic].partitions) for topic in read & known.keys()), default=1)
        topics.create(bootstrap, [NewTopic(name, num_partitions=partitions)])
    except TopicError as error:
        raise ReplayError(f"{name} cannot be published to: {error}") from error


class Republisher:
    """Publishes what a source hands out to one topic; records of a key keep their order."""

    def __init__(self, bootstrap: str, topic: str, note: Note, save: Callable[[], None]) -> None:
        self._topic = topic
        self._note = note
        self._save = save
        self._producer: Producer = open_producer(bootstrap, **{"linger.ms": 5})
        self._failure: KafkaError | None = None
        self._handed: dict[Place, int] = {}
        self._published = 0

    def run(
        self, source: Source, places: Mapping[Place, int], *, tell: Tell, rate: float | None
    ) -> int:
        """Publish all that is left of a source, and return how many records that were.

        When it is interrupted, what was handed to the client is published and noted before.

        Raises:
            ReplayError: Kafka did not take a record.
        """
        pace = Pace(rate)
        try:
            source.begin(places)
            while (fetched := source.fetch()) is not None:
                for batch in fetched.batches:
                    for part in pace.parts(batch):
                        time.sleep(pace.wait_s(len(part.records)))
                        self._publish(source, part)
                self._settle()
                tell(Moved(fetched.read, self._published))
        finally:
            try:
                self._settle()
            finally:
                source.close()
        return self._published

    def _publish(self, source: Source, batch: Batch) -> None:
        for record in batch.records:
            self._produce(record, source.origin(record))
            self._handed[batch.place] = record.offset + 1
            self._published += 1

    def _produce(self, record: KafkaRecord, origin: str) -> None:
        headers: Any = [*record.headers, (REPLAYED_FROM, origin.encode())]
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    record.value,
                    record.key,
                    on_delivery=self._delivered,
                    headers=headers,
                )
            except BufferError:
                take_answers(self._producer, QUEUE_FULL_WAIT_S)
            except KafkaException as error:
                raise self._refusal(error) from error
            else:
                break
        take_answers(self._producer)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = error

    def _settle(self) -> None:
        """Wait until everything that was handed over is published, then note it."""
        left = wait_for_answers(self._producer, TIMEOUT_S)
        if self._failure is not None or left:
            raise self._refusal(self._failure or f"{left} are left")
        for place, position in self._handed.items():
            self._note(place, position)
        if self._handed:
            self._save()
        self._handed.clear()

    def _refusal(self, why: object) -> ReplayError:
        return ReplayError(
            f"Kafka did not take all records for {self._topic} ({why}); what was noted as published is, --resume goes "
            "on after it"
        )
