"""Empties the outbox into Kafka, every 10 ms."""

import asyncio

from aiokafka import AIOKafkaProducer
from psycopg import AsyncConnection

from tests.bench.e2e.handwritten.settings import QUERIES, Settings, run

EVERY_S = 0.01


async def main(settings: Settings, stopped: asyncio.Event) -> None:
    """Publish until told to stop."""
    async with (
        AIOKafkaProducer(
            bootstrap_servers=settings.kafka, acks="all", enable_idempotence=True
        ) as producer,
        await AsyncConnection.connect(
            settings.database_url, options=settings.options
        ) as connection,
    ):
        while not stopped.is_set():
            async with connection.transaction():
                rows = sorted(await (await connection.execute(QUERIES["take"])).fetchall())
                sent = [
                    await producer.send(
                        topic,
                        payload.encode(),
                        key.encode(),
                        headers=[("ce_id", str(number).encode()), ("ce_type", name.encode())],
                    )
                    for number, topic, key, name, payload in rows
                ]
                await asyncio.gather(*sent)
            if not rows:
                await asyncio.sleep(EVERY_S)


if __name__ == "__main__":
    run(main)
