"""The canary: a message sent through the whole pipeline to prove that it carries."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from psycopg import sql

from cdc.context import MessageContext
from cdc.database import connect, connect_async
from cdc.ids import new_id
from cdc.kafka import TopicError
from cdc.kafka_record import KafkaRecord, Place
from cdc.outbox import Outbox
from cdc.shards import ALL, Keys
from cdc.topic_reader import TopicReader
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.messages.canary import CanaryEmitted
from schemas.registry import SchemaStore
from schemas.registry_settings import RegistrySettings

POLL_S = 0.2


class CanaryError(Exception):
    """The canary did not come through."""


def probe(
    database_url: str,
    bootstrap: str,
    registry: RegistrySettings,
    schema_cache: Path,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
    keys: Keys = ALL,
) -> float:
    """Commit a canary to the outbox and wait until it is read, decoded, from Kafka.

    Args:
        database_url: libpq URL of the canary's role.
        bootstrap: `host:port` of a broker.
        registry: The schema registry.
        schema_cache: Directory in which schema ids are kept.
        timeout_s: Longest wait in seconds.
        clock: What the wait is measured by.
        keys: Of which its key is to be one.

    Returns:
        Seconds from before the commit until the message was read.

    Raises:
        CanaryError: nothing came within the time.
        TopicError: Kafka cannot be asked.
    """
    codec = Codec(SchemaStore(registry, schema_cache), [CanaryEmitted])
    codec.resolve()
    canary_id = _id_of(keys, database_url)
    topic = catalogue().topic_of(CanaryEmitted.NAME).name
    with TopicReader(bootstrap) as reader:
        deadline = clock() + timeout_s
        ends = _ends(reader, topic, lambda: clock() > deadline)
        start = time.monotonic()
        asyncio.run(_emit(database_url, Outbox(codec), canary_id))
        for records in reader.follow(ends):
            if any(_is_canary(codec, record, canary_id) for record in records):
                return time.monotonic() - start
            if clock() > deadline:
                break
    raise CanaryError(
        f"a canary committed to Postgres did not reach Kafka within {timeout_s:g} s; "
        "`tailrace connector status` and `tailrace logs connect` show where it stopped"
    )


def _id_of(keys: Keys, database_url: str) -> UUID:
    """Return a new id that is one of these keys."""
    if keys.row_filter is None:
        return new_id()
    asked = sql.SQL("select {} from (select {} as aggregate_id) as key")
    with connect(database_url) as connection:
        while True:
            candidate = new_id()
            query = asked.format(sql.SQL(keys.row_filter), sql.Literal(str(candidate)))
            if connection.execute(query).fetchall() == [(True,)]:
                return candidate


def _ends(reader: TopicReader, topic: str, is_late: Callable[[], bool]) -> dict[Place, int]:
    """Return where the topic ends; a broker that is busy may lose its partitions for a moment."""
    while True:
        try:
            return {place: each.end for place, each in reader.bounds(topic).items()}
        except TopicError:
            if is_late():
                raise
            time.sleep(POLL_S)


async def _emit(database_url: str, outbox: Outbox, canary_id: UUID) -> None:
    canary = CanaryEmitted(canary_id=canary_id, emitted_at=datetime.now(UTC))
    async with await connect_async(database_url) as connection:
        context = MessageContext(correlation_id=canary_id).next_span()
        await outbox.send(connection, canary, key=str(canary_id), context=context)


def _is_canary(codec: Codec, record: KafkaRecord, canary_id: UUID) -> bool:
    if record.value is None:
        return False
    message = codec.decode(record.value)
    return isinstance(message, CanaryEmitted) and message.canary_id == canary_id
