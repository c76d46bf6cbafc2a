"""The canary: a message sent through the whole pipeline to prove that it carries."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from cdc.context import MessageContext
from cdc.database import connect_async
from cdc.ids import new_id
from cdc.outbox import Outbox
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.messages.canary import CanaryEmitted
from schemas.registry import SchemaStore
from schemas.registry_settings import RegistrySettings


class CanaryError(Exception):
    """The canary did not come through."""


def probe(
    database_url: str,
    bootstrap: str,
    registry: RegistrySettings,
    schema_cache: Path,
    timeout_s: float,
) -> float:
    """Commit a canary to the outbox and wait until it is read, decoded, from Kafka.

    Args:
        database_url: libpq URL of the canary's role.
        bootstrap: `host:port` of a broker.
        registry: The schema registry.
        schema_cache: Directory in which schema ids are kept.
        timeout_s: Longest wait in seconds.

    Returns:
        Seconds from before the commit until the message was read.

    Raises:
        CanaryError: nothing came within the time, or Kafka cannot be asked.
    """
    codec = Codec(SchemaStore(registry, schema_cache), [CanaryEmitted])
    codec.resolve()
    canary_id = new_id()
    consumer = _consumer_at_end(bootstrap, timeout_s)
    try:
        start = time.monotonic()
        asyncio.run(_emit(database_url, Outbox(codec), canary_id))
        while (elapsed := time.monotonic() - start) < timeout_s:
            if _is_canary(codec, consumer.poll(timeout_s - elapsed), canary_id):
                return time.monotonic() - start
    finally:
        consumer.close()
    raise CanaryError(
        f"a canary committed to Postgres did not reach Kafka within {timeout_s:g} s; "
        "`tailrace connector status` and `tailrace logs connect` show where it stopped"
    )


def _consumer_at_end(bootstrap: str, timeout_s: float) -> Consumer:
    """Return a consumer that belongs to no group and stands behind the last canary."""
    topic = catalogue().topic_of(CanaryEmitted.NAME).name
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "canary", "enable.auto.commit": False}
    )
    try:
        partition = TopicPartition(topic, 0)
        _, end = consumer.get_watermark_offsets(partition, timeout=timeout_s)
    except KafkaException as error:
        consumer.close()
        raise CanaryError(f"Kafka at {bootstrap} cannot be asked for {topic}: {error}") from error
    consumer.assign([TopicPartition(topic, 0, end)])
    return consumer


async def _emit(database_url: str, outbox: Outbox, canary_id: UUID) -> None:
    canary = CanaryEmitted(canary_id=canary_id, emitted_at=datetime.now(UTC))
    async with await connect_async(database_url) as connection:
        context = MessageContext(correlation_id=canary_id).next_span()
        await outbox.send(connection, canary, key=str(canary_id), context=context)


def _is_canary(codec: Codec, record: Message | None, canary_id: UUID) -> bool:
    value = None if record is None or record.error() else record.value()
    if value is None:
        return False
    message = codec.decode(value)
    return isinstance(message, CanaryEmitted) and message.canary_id == canary_id
