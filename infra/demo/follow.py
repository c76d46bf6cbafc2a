"""Watches the events of orders in Kafka, from the present on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cdc.kafka_record import KafkaRecord
from cdc.topic_reader import TopicReader
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated
from schemas.registry import SchemaStore
from schemas.registry_settings import RegistrySettings

EVENTS = (OrderCreated, OrderConfirmed, OrderCancelled)
Event = OrderCreated | OrderConfirmed | OrderCancelled

Looks = Iterator[list[KafkaRecord]]  # what has come since the last look, again and again


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of one of our orders."""

    correlation_id: str  # the id that the order was sent with
    event: Event
    at: float  # when it was read, by `time.perf_counter`


class Follower:
    """Reads order events in a thread of its own, belonging to no consumer group; it calls back from that thread."""

    def __init__(
        self,
        looks: Looks,
        codec: Codec,
        *,
        wanted: Callable[[str], bool],
        ours: Callable[[str], bool],
        seen: Callable[[Seen], object],
        failed: Callable[[Exception], object],
    ) -> None:
        self._looks = looks
        self._codec = codec
        self.others = 0  # events of orders that were sent by somebody else
        self._wanted = wanted
        self._ours = ours
        self._seen = seen
        self._failed = failed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            for records in self._looks:
                at = time.perf_counter()
                for record in records:
                    self._take(record, at)
                if self._stopping.is_set():
                    break
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the run, not to the thread
            self._failed(error)

    def _take(self, record: KafkaRecord, at: float) -> None:
        found = dict(record.headers).get("correlation_id")
        correlation_id = None if found is None else found.decode(errors="replace")
        if correlation_id is None or record.value is None or not self._wanted(correlation_id):
            self.others += correlation_id is None or not self._ours(correlation_id)
            return
        event = self._codec.decode(record.value)
        if isinstance(event, EVENTS):
            self._seen(Seen(correlation_id, event, at))


@contextmanager
def at_the_end(bootstrap: str) -> Iterator[Looks]:
    """Read order events from the present on."""
    topic = catalogue().topic_of(OrderConfirmed.NAME).name
    with TopicReader(bootstrap) as reader:
        yield reader.follow({place: each.end for place, each in reader.bounds(topic).items()})


def order_codec(registry: RegistrySettings, cache: Path) -> Codec:
    """Return a codec for order events whose schemas are at hand before the first event comes."""
    store = SchemaStore(registry, cache)
    for event in EVENTS:
        store.schema_of(store.id_of(event.NAME))
    return Codec(store, EVENTS)
