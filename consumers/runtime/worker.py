"""Runs a consumer as a Faust worker."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar, cast

import faust
from faust.streams import Stream
from faust.types import TP, StreamT
from faust.types.transports import TransportT

from cdc import logs
from cdc.database import Pool, open_pool
from cdc.service import load, start
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import Record
from consumers.runtime.processor import Processor
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.transport import BatchTransport, WholeBatches
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.registry import SchemaStore

MAX_POLL_RECORDS = 2000
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0

S = TypeVar("S", bound=WorkerSettings)

log = logging.getLogger(__name__)


class WorkerApp(faust.App):
    """A Faust application that consumes batches for one consumer.

    Args:
        consumer: Name, topics and dispatch table.
        settings: Where the surroundings are.

    Raises:
        LookupError: the catalogue does not list the consumer for a message that it handles.
    """

    def __init__(self, consumer: Consumer, settings: WorkerSettings) -> None:
        _require_declared(consumer)
        super().__init__(
            consumer.name,
            broker=f"kafka://{settings.kafka_bootstrap}",
            autodiscover=False,
            broker_commit_interval=1.0,
            broker_max_poll_records=MAX_POLL_RECORDS,
            consumer_auto_offset_reset="earliest",
            datadir=str(settings.schema_cache / "faust"),
            store="memory://",
            stream_wait_empty=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            worker_redirect_stdouts=False,
            ConsumerScheduler=WholeBatches,
        )
        self._pool: Pool = open_pool(settings.database_url)
        codec = Codec(SchemaStore(settings.registry_url, settings.schema_cache), consumer.handlers)
        self._processor = Processor(consumer, self._pool, codec)
        topic = self.topic(
            *consumer.topics, key_type=bytes, value_type=bytes, value_serializer="raw"
        )
        self.agent(topic, name=consumer.name, concurrency=1)(self._consume)

    def _new_transport(self) -> TransportT:
        return BatchTransport(self.conf.broker_consumer, self)

    async def on_first_start(self) -> None:
        """Open the database before the first batch comes."""
        await self._pool.open(wait=True)
        await super().on_first_start()

    async def on_stop(self) -> None:
        """Stop consuming, then close the database."""
        await super().on_stop()
        await self._pool.close()

    async def _consume(self, stream: StreamT[Any]) -> None:
        async for event in cast(Stream[Any], stream).noack().events():
            if await self._apply(event.message.tp, event.value):
                event.ack()

    async def _apply(self, tp: TP, records: Sequence[Record]) -> bool:
        """Apply a batch, again until it succeeds or the partition has gone to another worker.

        A batch that fails blocks its partition: nothing is skipped, and nothing overtakes it.
        """
        pause_s = FIRST_PAUSE_S
        while tp in self.consumer.assignment():
            try:
                await self._processor.apply(records)
                return True
            except Exception:
                log.exception(
                    "batch %s/%s/%s..%s failed; again in %.1f s",
                    *(tp.topic, tp.partition, records[0].offset, records[-1].offset, pause_s),
                )
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return False


def _require_declared(consumer: Consumer) -> None:
    """Refuse a consumer of which the catalogue does not know: whoever changes a message would not hear of it."""
    for message in consumer.handlers:
        if consumer.name not in catalogue().consumers_of(message.NAME):
            raise LookupError(
                f"{consumer.name} handles {message.NAME}, of which catalogue.toml does not know; add it "
                "to the topic's consumers"
            )


def run(create_app: Callable[[S], WorkerApp], settings: type[S]) -> NoReturn:
    """Run a worker in the foreground until SIGTERM or SIGINT, then exit.

    Args:
        create_app: Builds the worker.
        settings: Class of its settings, read from the environment.
    """
    values = load(settings)
    app = start(create_app, values)
    logs.configure(app.conf.id)
    worker = faust.Worker(app, override_logging=False, redirect_stdouts=False)
    worker.execute_from_commandline()
