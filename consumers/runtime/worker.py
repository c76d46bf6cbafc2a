"""Runs a consumer as a Faust worker."""

import asyncio
import gc
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar, cast

import faust
from faust.streams import Stream
from faust.types import TP, EventT, StreamT
from faust.types.transports import TransportT

from cdc import logs
from cdc.database import Pool, open_pool
from cdc.outbox import Outbox
from cdc.service import load, start
from consumers.runtime import refusals
from consumers.runtime.consumer import Consumer
from consumers.runtime.failures import is_transient
from consumers.runtime.health import HealthServer, PartitionHealth, partition_health
from consumers.runtime.intake import Intake
from consumers.runtime.lanes import Lanes, Tools
from consumers.runtime.positions import Bounds, find_positions
from consumers.runtime.postgres import PostgresStore
from consumers.runtime.processor import Processor
from consumers.runtime.retries import DeadLetters, Retrier
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.store import Place
from consumers.runtime.transport import (
    BatchConsumer,
    BatchTransport,
    FetchedRecords,
    WholeBatches,
)
from consumers.runtime.watchdog import Watchdog
from consumers.runtime.window import InboxWindow
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.messages.consumers import MessageDeadLettered
from schemas.registry import SchemaStore

STALLED = 75
"""Exit status of a worker that stood still (EX_TEMPFAIL of sysexits.h): to be started again."""

POLLED_BATCHES = 4
"""Full transactions that one poll may bring, for all partitions together.

aiokafka asks the broker for more of a partition when all that it had of it is handed out. A poll that leaves a rest in
most partitions makes it fetch them one by one, in many small requests.
"""

STOP_S = 10.0
"""How long a transaction under way may take when the worker stops or loses its partitions."""
RETRY_LOOK_S = 0.5
MAINTAIN_EVERY_S = 3600.0
SKIP_EVERY_S = 2.0
COLLECT_EVERY_S = 10.0
LONGEST_PAUSE_S = 10.0

S = TypeVar("S", bound=WorkerSettings)

log = logging.getLogger(__name__)


class Batch:
    """Fetched records and the Faust event that they came in, which is acknowledged when they are done."""

    def __init__(self, fetched: FetchedRecords, event: EventT[Any]) -> None:
        self.records = fetched.records
        self.ticket = fetched.ticket
        self._event = event

    def done(self) -> None:
        """Acknowledge the records to Kafka."""
        self._event.ack()


class WorkerApp(faust.App):
    """A Faust application that consumes batches for one consumer.

    Args:
        consumer: Name, topics and dispatch table.
        settings: Where the surroundings are.
        options: Settings of Faust that differ.

    Raises:
        LookupError: the catalogue does not list the consumer for a message that it handles.
        UnknownSchemaError: the schema of the event about dead letters was never published.
        RegistryUnavailableError: its id is not cached and the registry cannot be asked.
    """

    lanes: Lanes

    def __init__(self, consumer: Consumer, settings: WorkerSettings, **options: Any) -> None:
        _require_declared(consumer)
        super().__init__(
            consumer.name,
            **{  # type: ignore[arg-type]  # Faust's settings, of many types
                "broker": f"kafka://{settings.kafka_bootstrap}",
                # what stands in the environment wins over all that follows, be it there for somebody else: APP_VERSION
                # or BROKER_URL, say; so Faust's variables have a name of their own
                "env_prefix": "FAUST",
                "autodiscover": False,
                "broker_commit_interval": 1.0,
                "broker_max_poll_interval": refusals.POLL_INTERVAL_S,
                "broker_max_poll_records": POLLED_BATCHES * consumer.max_batch,
                "consumer_auto_offset_reset": "earliest",
                "datadir": str(settings.schema_cache / "faust"),
                "store": "memory://",
                "stream_buffer_maxsize": 16,
                "stream_wait_empty": False,
                "topic_allow_declare": False,
                "topic_disable_leader": True,
                "web_enabled": False,
                "worker_redirect_stdouts": False,
                "ConsumerScheduler": WholeBatches,
            }
            | options,
        )
        self.declared = consumer
        self._settings = settings
        self._pool: Pool = open_pool(
            settings.database_url,
            max_size=consumer.parallel_partitions + 2,
            check=False,
            # A worker that is frozen in the midst of a transaction keeps its partition's new owner waiting until then.
            idle_in_transaction_s=settings.stall_s / 2,
        )
        self._store = PostgresStore(consumer.name, self._pool)
        self._window = InboxWindow()
        codec = Codec(SchemaStore(settings.registry_url, settings.schema_cache), consumer.messages)
        outbox = Outbox.open(settings.registry_url, settings.schema_cache, [MessageDeadLettered])
        dead_letters = DeadLetters(consumer.name, outbox)
        intake = Intake(consumer, codec, self._window)
        self._retrier = Retrier(consumer, self._store, intake, dead_letters)
        self.lanes = Lanes(
            Tools(
                intake=intake,
                processor=Processor(consumer, self._store, dead_letters),
                position=self._store.position,
                seek=self._seek,
                retries=consumer.retries,
                max_batch=consumer.max_batch,
                turn=asyncio.Semaphore(consumer.parallel_partitions),
            )
        )
        self._health = HealthServer(consumer.name, self._partition_health, self._is_ready)
        self._watchdog = Watchdog(
            group=consumer.name,
            bootstrap=settings.kafka_bootstrap,
            progress=self.lanes.progress,
            limit_s=settings.stall_s,
            end=_end,
        )
        self._is_checked = False
        self._chores: list[asyncio.Task[None]] = []
        topic = self.topic(
            *consumer.topics, key_type=bytes, value_type=bytes, value_serializer="raw"
        )
        self.agent(topic, name=consumer.name, concurrency=1)(self._consume)

    def check(self) -> None:
        """Refuse to run as configured. Done once, by `run` or by whoever else starts the application.

        Raises:
            RefusedError: messages could be lost, repeated or read by strangers.
        """
        if not self._is_checked:
            self.finalize()
            refusals.check(self, self.declared, self._settings.kafka_bootstrap)
            self._is_checked = True

    async def take_over(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Stop what is being worked on, and return where to begin in each of these partitions."""
        await self.lanes.close(STOP_S)
        return await find_positions(places, self._store, self)

    async def let_go(self) -> None:
        """Finish the transactions under way and work on nothing more."""
        await self.lanes.close(STOP_S)

    async def bounds(self, places: Sequence[Place]) -> Mapping[Place, Bounds]:
        """Return what Kafka has of partitions."""
        consumer = self._batch_consumer()
        partitions = [TP(*place) for place in places]
        begins = await consumer.earliest_offsets(*partitions) if partitions else {}
        ends = await consumer.highwaters(*partitions) if partitions else {}
        return {place: Bounds(begins[TP(*place)], ends[TP(*place)]) for place in places}

    async def on_first_start(self) -> None:
        """Open the database, and see to the inbox, before the first batch comes."""
        self.check()
        await self._pool.open(wait=True)
        await self._store.remember_for(self.declared.inbox_window)
        await self._store.maintain(self._window)
        await super().on_first_start()

    async def on_started(self) -> None:
        """Begin with what is done beside consuming."""
        await super().on_started()
        port = await self._health.start(self._settings.host, self._settings.port)
        log.info("health endpoints", extra={"fields": {"host": self._settings.host, "port": port}})
        self._watchdog.start()
        self._chores = [
            asyncio.create_task(self._repeat(RETRY_LOOK_S, self._retry)),
            asyncio.create_task(self._repeat(MAINTAIN_EVERY_S, self._maintain)),
            asyncio.create_task(self._repeat(SKIP_EVERY_S, self._skip)),
            asyncio.create_task(self._repeat(COLLECT_EVERY_S, self._collect_garbage)),
        ]

    async def on_stop(self) -> None:
        """Finish the transactions under way, leave the group, then close the database."""
        self._watchdog.stop()
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        await self.lanes.close(STOP_S)
        await super().on_stop()
        await self._health.stop()
        await self._pool.close()

    def _new_transport(self) -> TransportT:
        return BatchTransport(self.conf.broker_consumer, self)

    def _batch_consumer(self) -> BatchConsumer:
        return cast(BatchConsumer, self.consumer)

    async def _consume(self, stream: StreamT[Any]) -> None:
        async for event in cast(Stream[Any], stream).noack().events():
            lane = self.lanes.get(Place(*event.message.tp))
            if lane is not None:
                lane.add(Batch(event.value, event))

    async def _seek(self, place: Place, offset: int) -> None:
        await self._batch_consumer().seek_wait({TP(*place): offset})

    async def _retry(self) -> None:
        while await self._retrier.retry_one():
            pass

    async def _maintain(self) -> None:
        await self._store.maintain(self._window)

    async def _skip(self) -> None:
        await self._batch_consumer().skip_gaps()

    @staticmethod
    async def _collect_garbage() -> None:
        gc.collect()

    @staticmethod
    async def _repeat(every_s: float, chore: Callable[[], Awaitable[None]]) -> None:
        pause_s = every_s
        while True:
            try:
                await chore()
            except Exception as error:
                pause_s = min(2 * pause_s, max(every_s, LONGEST_PAUSE_S))
                if is_transient(error):
                    log.warning("%r; again in %g s", error, pause_s)
                else:
                    log.exception("something beside consuming failed; again in %g s", pause_s)
            else:
                pause_s = every_s
            await asyncio.sleep(pause_s)

    def _is_ready(self) -> bool:
        settled = not self.rebalancing and not self._batch_consumer().is_taking_over
        return settled and not self.should_stop

    def _partition_health(self) -> list[PartitionHealth]:
        return partition_health(self.lanes.progress(), self._watchdog.ends, time.time())


def _end(trouble: str) -> None:
    """End the process at once: a worker that stands still cannot be trusted to stop in good order, and need not."""
    log.critical("%s: ending, to be started again", trouble)
    logging.shutdown()
    os._exit(STALLED)


def _require_declared(consumer: Consumer) -> None:
    """Refuse a consumer of which the catalogue does not know: whoever changes a message would not hear of it."""
    ours = [name for name in consumer.topics if name in catalogue().topics]
    for message in consumer.messages if ours else ():
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

    def create_checked(values: S) -> WorkerApp:
        app = create_app(values)
        app.check()
        return app

    app = start(create_checked, load(settings))
    # Batches are hundreds of thousands of objects that live until they are written: looking through them as often as
    # Python does finds nothing, and costs a quarter of the rate (measured by `make bench BENCH=consumer`). The
    # application collects by the clock instead.
    gc.freeze()
    gc.disable()
    logs.configure(app.conf.id)
    worker = faust.Worker(app, override_logging=False, redirect_stdouts=False)
    worker.execute_from_commandline()
