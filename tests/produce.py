"""Records as the outbox sends them, made without it: to any topic, with any key, under any id."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from cdc.ids import new_id
from infra.local.probe import wait_until
from schemas import message
from schemas.codec import Codec
from schemas.messages.canary import CanaryEmitted
from schemas.messages.payments import PaymentCompleted
from schemas.registry import SchemaStore
from tests.declaring import declare_topic
from tests.kafka import ends_of
from tests.stack import RunningStack

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """A record that is not in Kafka yet; `dataclasses.replace` makes faulty ones of it."""

    key: str
    value: bytes | None
    headers: Mapping[str, str]

    @property
    def message_id(self) -> UUID:
        """Identity of the message."""
        return UUID(self.headers["ce_id"])


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


class Maker:
    """Makes records of messages whose schemas the stack's registry holds."""

    def __init__(self, stack: RunningStack) -> None:
        store = SchemaStore(stack.settings.registry_url, stack.settings.schema_cache)
        self._codec = Codec(store, [CanaryEmitted, PaymentCompleted])

    def canary(self, key: str | None = None, *, message_id: UUID | None = None) -> NewRecord:
        """Return a `CanaryEmitted`; what is not given is new."""
        canary_id = new_id()
        canary = CanaryEmitted(canary_id=canary_id, emitted_at=datetime.now(UTC))
        return self.record(canary, key=key or str(canary_id), message_id=message_id)

    def payment(
        self,
        key: str | None = None,
        *,
        message_id: UUID | None = None,
        order_id: UUID | None = None,
    ) -> NewRecord:
        """Return a `PaymentCompleted`; what is not given is new."""
        payment_id = new_id()
        payment = PaymentCompleted(
            payment_id=payment_id,
            order_id=order_id or new_id(),
            currency="EUR",
            amount=Decimal("12.50"),
            completed_at=datetime.now(UTC),
        )
        return self.record(payment, key=key or str(payment_id), message_id=message_id)

    def record(
        self, content: message.Message, *, key: str, message_id: UUID | None = None
    ) -> NewRecord:
        """Return the record of a message, with the headers that consumers require."""
        headers = {
            "ce_id": str(message_id or new_id()),
            "ce_type": content.NAME,
            "correlation_id": str(new_id()),
        }
        return NewRecord(key=key, value=self._codec.encode(content), headers=headers)


def create_topic(
    stack: RunningStack,
    *,
    name: str | None = None,
    partitions: int = 1,
    config: Mapping[str, str] | None = None,
) -> str:
    """Create a topic, under a name of its own unless one is given, and return its name; the canary may send to it."""
    topic = NewTopic(
        name or f"test-{new_id()}",
        num_partitions=partitions,
        replication_factor=1,
        config=dict(config or {}),
    )
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap})
    [created] = admin.create_topics([topic], operation_timeout=TIMEOUT_S).values()
    created.result()
    _wait_for_leaders(stack, topic.topic, partitions)
    declare_topic(stack, topic.topic)
    return topic.topic


def _wait_for_leaders(stack: RunningStack, topic: str, partitions: int) -> None:
    """Wait until a topic that was just made can be asked; until then a broker may say that it does not lead it."""

    def is_led() -> bool:
        try:
            return len(ends_of(stack, topic)) == partitions
        except KafkaException:
            return False

    wait_until(f"{topic} is led by nobody", is_led, timeout_s=TIMEOUT_S)


class Sender:
    """Sends records.

    Args:
        stack: The running stack.
        settings: Settings of the producer that differ.
    """

    def __init__(self, stack: RunningStack, **settings: str | int | bool) -> None:
        self.producer = Producer(
            {
                "bootstrap.servers": stack.settings.kafka_bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",  # a key goes where Connect's producer sends it
            }
            | settings
        )

    def send(
        self, topic: str, records: Iterable[NewRecord], *, partition: int | None = None
    ) -> list[Place]:
        """Send records and return their places, in the order given, once the broker has them all.

        Args:
            topic: Where to.
            records: What to send; those of one partition keep their order.
            partition: Where to within the topic, instead of where the keys belong.
        """
        sent = list(records)
        places: dict[int, Place] = {}
        failures: list[KafkaError] = []

        def report(number: int, error: KafkaError | None, record: Message) -> None:
            if error is None:
                places[number] = Place(topic, record.partition() or 0, record.offset() or 0)
            else:
                failures.append(error)

        for number, record in enumerate(sent):
            self.producer.produce(
                topic,
                record.value,
                record.key,
                -1 if partition is None else partition,
                on_delivery=partial(report, number),
                headers=dict(record.headers),
            )
            self.producer.poll(0)
        self.producer.flush(TIMEOUT_S)
        missing = len(sent) - len(places)
        assert missing == 0, (
            f"{missing} of {len(sent)} records did not reach {topic}: {failures[:3]}"
        )
        return [places[number] for number in range(len(sent))]


def produce(
    stack: RunningStack, topic: str, records: Iterable[NewRecord], *, partition: int | None = None
) -> list[Place]:
    """Send records once, see `Sender.send`."""
    return Sender(stack).send(topic, records, partition=partition)
