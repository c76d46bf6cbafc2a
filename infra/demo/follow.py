"""Watches the events of orders in Kafka, from the present on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from infra.demo.orders import DemoError
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated
from schemas.registry import SchemaStore
from schemas.registry_settings import RegistrySettings

EVENTS = (OrderCreated, OrderConfirmed, OrderCancelled)
Event = OrderCreated | OrderConfirmed | OrderCancelled

METADATA_TIMEOUT_S = 10.0
POLL_S = 0.2
"""How soon a stop is noticed; an event ends the wait at once."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of one of our orders.

    Args:
        correlation_id: The id that the order was sent with.
        event: What happened.
        at: When it was read, by `time.perf_counter`.
    """

    correlation_id: str
    event: Event
    at: float


class Follower:
    """Reads order events in a thread of its own, belonging to no consumer group.

    Args:
        consumer: Assigned to all partitions, at their ends.
        codec: Decodes order events.
        wanted: Whether a correlation id is one of ours; called from the thread.
        seen: Takes each event of ours; called from the thread.
        failed: Takes the error that ends the reading; called from the thread.
    """

    def __init__(
        self,
        consumer: Consumer,
        codec: Codec,
        *,
        wanted: Callable[[str], bool],
        seen: Callable[[Seen], object],
        failed: Callable[[Exception], object],
    ) -> None:
        self._consumer = consumer
        self._codec = codec
        self._wanted = wanted
        self._seen = seen
        self._failed = failed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading and wait until it has stopped."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                record = self._consumer.poll(POLL_S)
                if record is not None:
                    self._take(record, time.perf_counter())
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the run, not to the thread
            self._failed(error)

    def _take(self, record: Message, at: float) -> None:
        error = record.error()
        if error is not None:
            # From anything else the client recovers by itself.
            if error.fatal() or error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - a public name
                raise KafkaException(error)
            return
        correlation_id = _correlation_id(record)
        value = record.value()
        if correlation_id is None or value is None or not self._wanted(correlation_id):
            return
        event = self._codec.decode(value)
        if isinstance(event, EVENTS):
            self._seen(Seen(correlation_id, event, at))


@contextmanager
def at_the_end(bootstrap: str) -> Iterator[Consumer]:
    """Open a consumer of order events that stands behind the last one.

    Args:
        bootstrap: `host:port` of a broker.

    Raises:
        DemoError: Kafka cannot be asked, or has no such topic.
    """
    topic = catalogue().topic_of(OrderConfirmed.NAME).name
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "tailrace-demo",  # the client wants one; nothing is committed to it
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "log_level": 0,  # what goes wrong is told once, by us
        }
    )
    try:
        consumer.assign(_ends(consumer, topic, bootstrap))
        yield consumer
    finally:
        consumer.close()


def order_codec(registry: RegistrySettings, cache: Path) -> Codec:
    """Return a codec for order events whose schemas are at hand before the first event comes.

    Args:
        registry: The schema registry.
        cache: Directory in which schema ids are kept.

    Raises:
        UnknownSchemaError: the schemas were never published.
        RegistryUnavailableError: they are not cached and the registry cannot be asked.
    """
    store = SchemaStore(registry, cache)
    for event in EVENTS:
        store.schema_of(store.id_of(event.NAME))
    return Codec(store, EVENTS)


def _ends(consumer: Consumer, topic: str, bootstrap: str) -> list[TopicPartition]:
    try:
        partitions = consumer.list_topics(topic, METADATA_TIMEOUT_S).topics[topic].partitions
        if not partitions:
            raise DemoError(f"Kafka at {bootstrap} has no topic {topic}; `make up` creates it.")
        return [_end(consumer, TopicPartition(topic, number)) for number in partitions]
    except KafkaException as error:
        raise DemoError(
            f"Kafka at {bootstrap} cannot be asked for {topic} ({error.args[0].str()}); "
            "start the stack with `make up`, or see `tailrace status`."
        ) from error


def _end(consumer: Consumer, partition: TopicPartition) -> TopicPartition:
    _, end = consumer.get_watermark_offsets(partition, timeout=METADATA_TIMEOUT_S)
    return TopicPartition(partition.topic, partition.partition, end)


def _correlation_id(record: Message) -> str | None:
    value = dict(record.headers() or ()).get("correlation_id")
    return value.decode(errors="replace") if isinstance(value, bytes) else None
