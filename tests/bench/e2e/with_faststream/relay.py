"""Empties the outbox into Kafka."""

import asyncio
from typing import Any

from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaResponse
from faststream_outbox import OutboxBroker
from faststream_outbox.annotations import OutboxMessage

from tests.bench.e2e.with_faststream.sending import TOPICS
from tests.bench.e2e.with_faststream.settings import KAFKA, NAME, engine
from tests.bench.e2e.with_faststream.tables import outbox

WORKERS, BATCH, POLL_S = 4, 100, 0.05
CONNECTIONS = len(TOPICS) * (WORKERS + 1) + 4

kafka = KafkaBroker(KAFKA, acks="all", enable_idempotence=True, logger=None)
rows = OutboxBroker(engine(CONNECTIONS), outbox_table=outbox, logger=None)


def relay(topic: str) -> None:
    """Have what is in a queue of the outbox sent to the topic of its name."""

    @kafka.publisher(f"{NAME}.{topic}")
    @rows.subscriber(
        topic,
        max_workers=WORKERS,
        fetch_batch_size=BATCH,
        min_fetch_interval=POLL_S,
        terminal_flush_batch_size=BATCH,
    )
    async def send(body: dict[str, Any], message: OutboxMessage) -> KafkaResponse:
        headers = {name: message.headers[name] for name in ("ce_id", "ce_type")}
        return KafkaResponse(body, headers=headers, key=message.headers["key"].encode())


for each in TOPICS:
    relay(each)

if __name__ == "__main__":
    asyncio.run(FastStream(rows, on_startup=[kafka.connect], logger=None).run())
