"""The reference `plain_agent`: a Faust agent as it is commonly written, a transaction for each event."""

from typing import Any, cast
from uuid import UUID

import faust
from faust.streams import Stream
from faust.types import StreamT

from cdc import logs
from cdc.database import Pool
from cdc.service import load
from schemas.messages.payments import PaymentCompleted
from schemas.registry import SchemaStore
from tests.bench.decoder import Decoder
from tests.bench.effect import QUERIES, ContenderSettings


class PlainApp(faust.App):
    """A Faust application with its defaults, but for what would need a port, a topic or a disk of its own.

    Args:
        settings: Where the surroundings are.
    """

    def __init__(self, settings: ContenderSettings) -> None:
        super().__init__(
            settings.bench_group,
            broker=f"kafka://{settings.kafka_bootstrap}",
            autodiscover=False,
            datadir=str(settings.schema_cache / "faust"),
            store="memory://",
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            worker_redirect_stdouts=False,
        )
        self._group = settings.bench_group
        self._pool = Pool(settings.database_url, open=False)
        self._decoder = Decoder(SchemaStore(settings.registry_url, settings.schema_cache))
        topic = self.topic(
            settings.bench_topic, key_type=bytes, value_type=bytes, value_serializer="raw"
        )
        self.agent(topic, name="write_effects")(self._consume)

    async def on_first_start(self) -> None:
        """Open the database before the first event comes."""
        await self._pool.open(wait=True)
        await super().on_first_start()

    async def on_stop(self) -> None:
        """Stop consuming, then close the database."""
        await super().on_stop()
        await self._pool.close()

    async def _consume(self, stream: StreamT[Any]) -> None:
        async for event in cast(Stream[Any], stream).events():
            if event.headers["ce_type"].decode() == PaymentCompleted.NAME:
                await self._write(UUID(event.headers["ce_id"].decode()), event.value)

    async def _write(self, message_id: UUID, value: bytes) -> None:
        payment = self._decoder.decode(value)
        async with self._pool.connection() as connection, connection.transaction():
            admitted = await connection.execute(
                QUERIES["admit_one"], {"consumer": self._group, "message_id": message_id}
            )
            if admitted.rowcount:
                await connection.execute(
                    QUERIES["insert_one"], {"message_id": message_id, **payment}
                )


if __name__ == "__main__":
    app = PlainApp(load(ContenderSettings))
    logs.configure(app.conf.id)
    faust.Worker(app, override_logging=False, redirect_stdouts=False).execute_from_commandline()
