"""The events of a benchmark in Kafka: topics of its own, filled at once or one by one, as by the connector."""

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from cdc.context import next_traceparent
from cdc.ids import new_id
from schemas.codec import Codec
from schemas.message import Message
from schemas.messages.orders import OrderCreated, OrderLine
from schemas.messages.payments import PaymentCompleted
from schemas.registry import SchemaStore
from tests.bench.errors import BenchError
from tests.stack import RunningStack

PARTITIONS = 6
TIMEOUT_S = 30.0
QUEUE_FULL_WAIT_S = 0.1
PRODUCER_SETTINGS = {"compression.type": "lz4", "batch.size": 16_384}
"""As Debezium's producer: the connector asks for lz4, and 16 KB is the Java client's default."""


class Events:
    """Makes topics and writes events to them.

    Args:
        stack: A running stack.
        aggregates: How many keys the events are spread over, in turn.
    """

    def __init__(self, stack: RunningStack, aggregates: int) -> None:
        settings = stack.settings
        self._kafka: dict[str, str | int | float | bool] = {
            "bootstrap.servers": settings.kafka_bootstrap,
            "log_level": 0,
        }
        self._admin = AdminClient(self._kafka)
        self._replicas = settings.replicas
        # kept, so that no measured event waits for a connection
        self._prompt = self._producer(linger_ms=0)
        self._codec = Codec(
            SchemaStore(settings.registry_url, settings.schema_cache),
            [PaymentCompleted, OrderCreated],
        )
        self._keys = [new_id() for _ in range(aggregates)]

    def create_topic(self, topic: str, partitions: int = PARTITIONS) -> None:
        """Create an empty topic, of which each broker has a copy."""
        wanted = NewTopic(topic, partitions, self._replicas)
        [created] = self._admin.create_topics([wanted]).values()
        created.result()

    def fill(self, topic: str, count: int, told: Callable[[int], None], lines: int = 0) -> None:
        """Write events as fast as it goes.

        Args:
            topic: Topic to write to.
            count: How many.
            told: Is told how many are written, now and then.
            lines: Of the order that each is about; 0 for payments, which have none.

        Raises:
            BenchError: Kafka did not take all of them.
        """
        producer = self._producer(linger_ms=5)
        for number in range(count):
            self._produce(producer, topic, number, lines)
            if number % 1000 == 0:
                told(number)
        _flush(producer)

    def trickle(self, topic: str, count: int, *, per_s: float) -> None:
        """Write events one by one at a steady rate, each at once.

        Args:
            topic: Topic to write to.
            count: How many.
            per_s: The rate, in events per second.

        Raises:
            BenchError: Kafka did not take all of them.
        """
        producer = self._prompt
        begin = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begin + number / per_s - time.monotonic()))
            self._produce(producer, topic, number)
        _flush(producer)

    def begin_before_end(self, topic: str, group: str, count: int) -> int:
        """Let a consumer group begin shortly before the end of a topic, and return how many events it will see.

        Args:
            topic: A topic with events.
            group: A group that is not at work yet.
            count: About how many events it should see.
        """
        with closing(Consumer({**self._kafka, "group.id": group})) as consumer:
            places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
            ends = [consumer.get_watermark_offsets(place, TIMEOUT_S)[1] for place in places]
            starts = [max(0, end - count // PARTITIONS) for end in ends]
            for place, start in zip(places, starts, strict=True):
                place.offset = start
            consumer.commit(offsets=places, asynchronous=False)
        return sum(ends) - sum(starts)

    def _producer(self, *, linger_ms: int) -> Producer:
        return Producer({**self._kafka, **PRODUCER_SETTINGS, "linger.ms": linger_ms})

    def _produce(self, producer: Producer, topic: str, number: int, lines: int = 0) -> None:
        round_, place = divmod(number, len(self._keys))
        key = self._keys[place]
        now = datetime.now(UTC)
        message = _order(key, lines, now) if lines else _payment(key, number, now)
        value, headers = self._codec.encode(message), _headers(message, now, version=round_ + 1)
        while True:
            try:
                producer.produce(topic, value, str(key), headers=headers)
            except BufferError:
                producer.poll(QUEUE_FULL_WAIT_S)
            else:
                break
        producer.poll(0)


def _payment(payment_id: UUID, number: int, now: datetime) -> PaymentCompleted:
    return PaymentCompleted(
        payment_id=payment_id,
        order_id=new_id(),
        currency="EUR",
        amount=Decimal(number % 100_000) / 100,
        completed_at=now,
    )


def _order(order_id: UUID, lines: int, now: datetime) -> OrderCreated:
    line = OrderLine(sku="article-with-a-number-of-24", quantity=1, unit_price=Decimal("12.50"))
    return OrderCreated(
        order_id=order_id,
        customer_id="ada",
        currency="EUR",
        lines=(line,) * lines,
        total=Decimal("12.50") * lines,
        placed_at=now,
    )


def _headers(
    message: Message, now: datetime, *, version: int
) -> list[tuple[str, str | bytes | None]]:
    """Return the headers of a record in the order in which the connector writes them."""
    return [
        ("ce_id", str(new_id())),
        ("ce_type", message.NAME),
        ("ce_source", "payments"),
        ("ce_specversion", "1.0"),
        ("ce_time", now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")),
        ("correlation_id", str(new_id())),
        ("causation_id", str(new_id())),
        ("aggregate_version", str(version)),
        ("traceparent", next_traceparent(None)),
    ]


def _flush(producer: Producer) -> None:
    left = producer.flush(TIMEOUT_S)
    if left:
        raise BenchError(f"Kafka did not take {left} events within {TIMEOUT_S:g} s.")
