"""Messages that go to Kafka at once and past the outbox, in the same envelope as those that went through one."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import UUID

from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as Report

from cdc.bounds import require_fitting
from cdc.context import MessageContext
from cdc.envelope import OutboxRow
from cdc.ids import new_id
from cdc.kafka import PROMPT
from cdc.records import open_producer, record_of, take_answers, wait_for_answers
from schemas.codec import Codec
from schemas.message import Message

SPECVERSION = "1.0"
UNKNOWN_TOPIC_MS = 1000
"""How long the producer waits for a topic that the broker does not know, before it says so."""
METADATA_AGE_MS = 10_000
"""How soon it is known that a topic has other partitions, and a key another one."""

OnDelivery = Callable[[KafkaError | None, Report], None]


class DirectSender:
    """Sends messages without an outbox.

    Args:
        bootstrap: `host:port` of a broker.
        service: Who sends.
        codec: Encodes the messages; its schema ids should be resolved.
        differing: Settings of librdkafka that differ.
    """

    def __init__(self, bootstrap: str, service: str, codec: Codec, **differing: Any) -> None:
        self._source = f"/{service}"
        self._codec = codec
        self._bootstrap = bootstrap
        self._settings = {
            **PROMPT,
            "topic.metadata.propagation.max.ms": UNKNOWN_TOPIC_MS,
            "topic.metadata.refresh.interval.ms": METADATA_AGE_MS,
            **differing,
        }
        self._producer = self._open()
        self._left: list[Producer] = []

    def send(  # noqa: PLR0913 - each by its name
        self,
        message: Message,
        *,
        topic: str,
        key: str,
        context: MessageContext,
        message_id: UUID | None = None,
        reply_to: str | None = None,
        expires_at: datetime | None = None,
        on_delivery: OnDelivery | None = None,
    ) -> None:
        """Hand a message to the client, which sends it at once; it is lost when that fails.

        Args:
            on_delivery: Called by `poll` with what has become of it.

        Raises:
            BufferError: the client holds too many messages that Kafka has not taken.
            KafkaException: the client cannot go on.
            ValueError: the message does not fit its schema, or is too large.
        """
        row = OutboxRow(
            seq=0,
            topic=topic,
            aggregate_id=key,
            payload=self._codec.encode(message),
            id=message_id or new_id(),
            type=message.NAME,
            source=self._source,
            specversion=SPECVERSION,
            occurred_at=datetime.now(UTC),
            correlation_id=context.correlation_id,
            causation_id=context.causation_id,
            traceparent=context.traceparent,
            reply_to=reply_to,
            expires_at=expires_at,
        )
        record = record_of(row)
        require_fitting(record.size, topic)
        headers: list[tuple[str, str | bytes | None]] = [*record.headers]
        producer = self._producer

        def report(error: KafkaError | None, sent: Report) -> None:
            if error is not None and error.code() == KafkaError._MSG_TIMED_OUT:  # noqa: SLF001 - its public name
                self._leave(producer)
            if on_delivery:
                on_delivery(error, sent)

        producer.produce(
            record.topic, record.value, record.key, headers=headers, on_delivery=report
        )

    def poll(self) -> None:
        """Hand out what has become of messages; to be called again and again, from any one thread."""
        self._left = [each for each in self._left if len(each)]
        for producer in (*self._left, self._producer):
            take_answers(producer)

    def close(self, seconds: float) -> None:
        """Wait until what was handed over is sent, and give up what is not."""
        end = monotonic() + seconds
        # meanwhile a report may have us go on with another one, to which nothing was handed
        for producer in (*self._left, self._producer):
            if wait_for_answers(producer, max(0.0, end - monotonic())):
                producer.purge()

    def _open(self) -> Producer:
        return open_producer(self._bootstrap, **self._settings)

    def _leave(self, producer: Producer) -> None:
        """Go on with a new client: the one that gets nothing through may have forgotten all brokers for good."""
        if producer is self._producer:
            self._left.append(producer)
            self._producer = self._open()
