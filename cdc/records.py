"""The Kafka record of an outbox row: what the connector makes of it, made by ourselves.

The relay publishes rows so, recovery publishes again what was lost, and a replay out of the event log reads rows as if
they came from Kafka. Whoever reads a record cannot tell who published it.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from cdc.envelope import OutboxRow, headers_of
from schemas.catalogue import catalogue

MESSAGE_TIMEOUT_S = 10.0
"""How long a record may wait in the producer. One that was held up for longer is dropped and told of as a failure."""


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """A record to be published.

    Args:
        topic: Where to.
        key: Its key; records of one key keep their order.
        value: Its value in Confluent's wire format.
        headers: Its headers in the connector's order; None for a header without a value.
    """

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes | None]]

    @property
    def size(self) -> int:
        """Bytes of key, value and headers, which Kafka limits together."""
        headers = sum(len(name) + len(value or b"") for name, value in self.headers)
        return len(self.key) + len(self.value) + headers


def record_of(row: OutboxRow) -> OutboxRecord:
    """Return the record that the connector would make of a row."""
    return OutboxRecord(row.topic, row.aggregate_id.encode(), row.payload, headers_of(row))


def open_producer(bootstrap: str, **differing: Any) -> Producer:
    """Return a producer whose records lie where the connector would put them, and never overtake each other.

    Args:
        bootstrap: `host:port` of a broker.
        differing: Settings of librdkafka that differ.
    """
    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "acks": "all",
        "enable.idempotence": True,  # a repeated send changes neither number nor order
        "partitioner": "murmur2_random",  # Java's own, so that a key stays in its partition whoever publishes
        "compression.type": "lz4",
        "linger.ms": 0,
        "message.timeout.ms": int(MESSAGE_TIMEOUT_S * 1000),
        "message.max.bytes": catalogue().batch_bytes,
        "log_level": 0,
    }
    return Producer(settings | differing)


_told_by_reports = suppress(KafkaException, KafkaError, SystemError)  # type: ignore[arg-type]
"""Lets pass what confluent-kafka raises once a producer has failed for good: reports tell which records Kafka took.

It is a KafkaError, which is no exception and cannot be caught by name, or a SystemError when a report is handed out
just then, after that was taken.
"""


def wait_for_answers(producer: Producer, seconds: float) -> int:
    """Wait until a producer holds nothing more, and return how many records are still without an answer."""
    with _told_by_reports:
        return producer.flush(seconds)
    return len(producer)


def take_answers(producer: Producer, seconds: float = 0) -> None:
    """Have the reports handed out that are there, or wait for the first."""
    with _told_by_reports:
        producer.poll(seconds)
