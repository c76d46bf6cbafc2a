"""The reference `handwritten`: aiokafka and psycopg by hand, a transaction for each fetched batch of a partition."""

import asyncio
import gc
import signal
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from cdc.database import Connection
from cdc.service import load
from schemas.messages.payments import PaymentCompleted
from schemas.registry import SchemaStore
from tests.bench.decoder import Decoder
from tests.bench.effect import QUERIES, ContenderSettings, Row, insert_effects

TYPE = PaymentCompleted.NAME.encode()
MAX_RECORDS = 8000
WAIT_MS = 200


class Loop:
    """Fetches, writes and commits until it is told to stop.

    Args:
        name: Name in the inbox.
        decoder: Decodes the values.
        connection: The one connection that it writes on.
    """

    def __init__(self, name: str, decoder: Decoder, connection: Connection) -> None:
        self._name = name
        self._decoder = decoder
        self._connection = connection
        self._next_offsets: dict[TopicPartition, int] = {}
        self._committing: asyncio.Task[None] | None = None

    async def run(self, consumer: AIOKafkaConsumer, stopped: asyncio.Event) -> None:
        """Apply what is fetched; Kafka learns of it while the next batch is under way."""
        while not stopped.is_set():
            batches = await consumer.getmany(timeout_ms=WAIT_MS, max_records=MAX_RECORDS)
            for place, records in batches.items():
                await self._apply(place, records)
                self._next_offsets[place] = records[-1].offset + 1
            if self._committing is None or self._committing.done():
                await self._commit_later(consumer)
        if self._committing:
            await self._committing
        await consumer.commit(self._next_offsets or None)

    async def _commit_later(self, consumer: AIOKafkaConsumer) -> None:
        if self._committing:
            await self._committing  # it is done; a failure is raised here
            self._committing = None
        if self._next_offsets:
            self._committing = asyncio.create_task(consumer.commit(dict(self._next_offsets)))

    async def _apply(self, place: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        rows = {}
        for record in records:
            row = self._row(record)
            rows[row[0]] = row
        async with self._connection.transaction():
            admitted = await self._connection.execute(
                QUERIES["admit_many"], {"consumer": self._name, "ids": list(rows)}
            )
            new = await admitted.fetchall()
            if len(new) < len(rows):
                rows = {message_id: rows[message_id] for (message_id,) in new}
            if rows:
                await insert_effects(self._connection, rows.values())
            await self._connection.execute(
                QUERIES["advance"],
                {
                    "consumer": self._name,
                    "topic": place.topic,
                    "partition": place.partition,
                    "next_offset": records[-1].offset + 1,
                },
            )

    def _row(self, record: ConsumerRecord) -> Row:
        headers: dict[str, Any] = dict(record.headers)
        if headers["ce_type"] != TYPE:
            raise ValueError(f"{headers['ce_type']!r} is not handled here")
        payment = self._decoder.decode(record.value)
        return (
            UUID(headers["ce_id"].decode()),
            payment["payment_id"],
            payment["order_id"],
            payment["currency"],
            payment["amount"],
            payment["completed_at"],
        )


async def main(settings: ContenderSettings) -> None:
    """Run until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    decoder = Decoder(SchemaStore(settings.registry_url, settings.schema_cache))
    consumer = AIOKafkaConsumer(
        settings.bench_topic,
        bootstrap_servers=settings.kafka_bootstrap,
        group_id=settings.bench_group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer, await Connection.connect(settings.database_url) as connection:
        await Loop(settings.bench_group, decoder, connection).run(consumer, stopped)


if __name__ == "__main__":
    # A batch is thousands of objects that live until it is written. Collected as often as by default, the collector
    # looks through them again and again, and that costs a quarter of the rate.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    asyncio.run(main(load(ContenderSettings)))
