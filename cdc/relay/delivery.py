"""Handing rows to Kafka, all or with a complaint."""

import time
from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, KafkaException, Message

from cdc.records import OutboxRow, open_producer, record_of

FLUSH_S = 0.2


class DeliveryError(Exception):
    """Kafka has not taken everything; what was not marked is to be published again."""


class Delivery:
    """A producer that is thrown away as soon as it has failed once.

    Args:
        bootstrap: `host:port` of a broker.
        message_timeout_s: After how long it drops what it could not send.
        delivery_s: How long to wait for the broker; shorter than `message_timeout_s`.
    """

    def __init__(self, bootstrap: str, *, message_timeout_s: float, delivery_s: float) -> None:
        self._failures: list[str] = []
        self._delivery_s = delivery_s
        self._begun_at: float | None = None
        self._producer = open_producer(
            bootstrap,
            **{
                "message.timeout.ms": int(message_timeout_s * 1000),
                "delivery.report.only.error": True,
                "on_delivery": self._on_failure,
            },
        )

    def produce(self, rows: Iterable[OutboxRow], *, until: float) -> None:
        """Hand rows over.

        Args:
            rows: The rows in their order.
            until: When to stop, on the monotonic clock.

        Raises:
            DeliveryError: it was too late for one of them, or it cannot be a record.
        """
        producer, clock = self._producer, time.monotonic
        for row in rows:
            record = record_of(row)
            self._begun_at = self._begun_at or clock()
            while True:
                if clock() > until:
                    raise DeliveryError("this relay stood still, and others may have gone on")
                try:
                    producer.produce(
                        record.topic, record.value, record.key, headers=list(record.headers)
                    )
                    break
                except BufferError:
                    producer.poll(0.05)
                except KafkaException as error:
                    raise DeliveryError(f"message {row.id} for {row.topic}: {error}") from error

    def wait(self, sign: Callable[[], None]) -> None:
        """Wait until all that was handed over is delivered.

        Args:
            sign: Called again and again meanwhile.

        Raises:
            DeliveryError: something was refused, or Kafka did not answer for too long.
        """
        begun_at = self._begun_at or time.monotonic()
        while waiting := self._producer.flush(FLUSH_S):
            if self._failures or time.monotonic() - begun_at > self._delivery_s:
                break
            sign()
        if waiting and not self._failures:
            self.drop()
            self._failures.insert(0, f"{waiting} records were not taken in {self._delivery_s:g} s")
        if self._failures:
            self.drop()
            raise DeliveryError("; ".join(self._failures[:2]))
        self._begun_at = None

    def drop(self) -> None:
        """Forget everything that is under way; nothing is handed over after that."""
        self._producer.purge()
        self._producer.poll(0)

    def _on_failure(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failures.append(f"{message.topic()}: {error}")
