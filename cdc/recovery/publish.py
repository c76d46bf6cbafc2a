"""Publishing rows again that never reached Kafka."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from confluent_kafka import KafkaError, KafkaException, Message

from cdc import causes
from cdc.bounds import largest
from cdc.causes import Cause
from cdc.producer_state import ProducerState
from cdc.reconciliation.spool import MissingRow
from cdc.records import open_producer, take_answers, wait_for_answers

PATIENCE_MS = 120_000
FLUSH_S = PATIENCE_MS / 1000 + 10


class PublishError(Exception):
    """Rows could not be published."""


@dataclass(frozen=True, slots=True)
class Published:
    """What was published to a topic."""

    topic: str
    rows: int
    first: UUID | None
    last: UUID | None


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A row that no broker takes."""

    topic: str
    outbox: str
    message_id: UUID
    key: str
    size: int

    def __str__(self) -> str:
        return (
            f"message {self.message_id} of {self.outbox} for {self.topic}, key {causes.in_line(self.key, 100)}, "
            f"has {self.size:,} bytes"
        )


def too_large(topic: str, rows: Iterable[MissingRow]) -> list[TooLarge]:
    """Return which rows no broker takes that is configured by the catalogue."""
    return [
        TooLarge(topic, row.source, row.message_id, row.record.key.decode(), row.record.size)
        for row in rows
        if row.record.size > largest()
    ]


class Publisher:
    """Publishes rows in the order in which it is given them."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer = open_producer(
            bootstrap,
            **{
                "message.timeout.ms": PATIENCE_MS,
                "queue.buffering.max.messages": 20_000,
                "queue.buffering.max.kbytes": 65_536,
                # a record that fails ends everything, so that no later one of its key overtakes it
                "enable.gapless.guarantee": True,
            },
        )
        self._state = ProducerState(self._producer)
        self._failures: list[KafkaError] = []
        self._delivered = 0

    def publish(
        self, topic: str, rows: Iterable[MissingRow], show: Callable[[int], None]
    ) -> Published:
        """Publish rows, and return once Kafka has them all.

        Raises:
            PublishError: Kafka refuses a row, or does not answer. What it has by then is in order.
        """
        self._delivered = produced = 0
        first = last = None
        for row in rows:
            self._produce(row)
            produced += 1
            first, last = first or row.message_id, row.message_id
            show(self._delivered)
        wait_for_answers(self._producer, FLUSH_S)
        self._require_no_failure()
        if self._delivered < produced:
            raise PublishError(
                f"Kafka at {self._bootstrap} has confirmed {self._delivered} of {produced} rows for {topic} and does "
                "not go on; see `tailrace status`, then recover again"
            )
        show(self._delivered)
        return Published(topic, produced, first, last)

    def _produce(self, row: MissingRow) -> None:
        record = row.record
        try:
            is_first = self._state.is_first(record.topic, record.key)
        except KafkaException as error:
            raise self._refused(causes.of_error(error), row.message_id) from error
        while True:
            self._require_no_failure()
            try:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    headers=list(record.headers),
                    on_delivery=self._on_delivery,
                )
            except BufferError:
                take_answers(self._producer, 1)  # the queue is full
            except KafkaException as error:
                raise self._refused(causes.of_error(error), row.message_id) from error
            else:
                if is_first:
                    wait_for_answers(self._producer, FLUSH_S)
                take_answers(self._producer)
                return

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self._delivered += 1
        else:
            self._failures.append(error)

    def _require_no_failure(self) -> None:
        if self._failures:
            raise self._refused(causes.of_error(KafkaException(self._failures[0])), None)

    def _refused(self, cause: Cause, message_id: UUID | None) -> PublishError:
        which = f"message {message_id}" if message_id else "a row"
        advice = cause.advice or "see `tailrace status`"
        return PublishError(
            f"Kafka at {self._bootstrap} has refused {which}: {cause.text}; {advice}"
        )
