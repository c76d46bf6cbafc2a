"""A consumer as a Faust worker."""

import asyncio
import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, cast

import faust
from faust.assignor.partition_assignor import PartitionAssignor
from faust.streams import Stream
from faust.tables.manager import TableManager
from faust.types import TP, AppT, EventT, StreamT
from faust.types.transports import TransportT

from cdc.database import Pool, open_pool
from cdc.delayed import DelayedMessages
from cdc.due import LOOK_EVERY_S, DueWork, work_once
from cdc.outbox import Outbox
from consumers.runtime import refusals
from consumers.runtime.chores import Chore, Chores
from consumers.runtime.consumer import Consumer
from consumers.runtime.group import remove_left_behind
from consumers.runtime.handler_stats import HandlerMeter
from consumers.runtime.health import HealthServer, PartitionHealth, partition_health
from consumers.runtime.intake import Intake
from consumers.runtime.lanes import Lanes, Tools
from consumers.runtime.positions import find_positions
from consumers.runtime.postgres import PostgresStore
from consumers.runtime.processor import Processor
from consumers.runtime.retries import ParkedWork
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.store import Place
from consumers.runtime.topics import Topic, new_admin, read_topics
from consumers.runtime.transport import (
    LOOK_AGAIN_S,
    BatchConsumer,
    BatchTransport,
    FetchedRecords,
    WholeBatches,
)
from consumers.runtime.watchdog import Watchdog
from consumers.runtime.window import InboxWindow
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.registry import SchemaStore

STALLED = 75
"""Exit status of a worker that stood still (EX_TEMPFAIL of sysexits.h): to be started again."""

POLLED_BATCHES = 4
"""Full transactions that one poll may bring, for all partitions together.

aiokafka asks the broker for more of a partition when all that it had of it is handed out. A poll that leaves a rest in
most partitions makes it fetch them one by one, in many small requests.
"""

TOLD_CALLS = 5
"""How many of the innermost calls are told of when an event loop is held up."""

STOP_S = 10.0
"""How long a transaction under way may take when the worker stops or loses its partitions."""
MAINTAIN_EVERY_S = 3600.0
SKIP_EVERY_S = 2.0
LONGEST_WAIT_S = 10.0

STALE_S = 3.0
"""How long ago positions may have been compared with Kafka before records are held back until they are again."""

SESSION_S = 10.0
"""How long a worker may be silent until its partitions go to others.

That matters when its machine is lost: a process that was killed is started again, and takes its former self out of the
group. A shorter time would take a machine that is short of processor time for one that is lost.
"""
HEARTBEAT_S = 2.0

METADATA_AGE_S = 2.0
"""How old the client's knowledge of topics may be, instead of five minutes.

A broker that has just started may say that a topic does not exist. Whoever leads the group then deals out nothing,
until it asks again.
"""

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
        UnknownSchemaError: the schema of a message that it sends was never published.
        RegistryUnavailableError: a schema id is not cached and the registry cannot be asked.
    """

    lanes: Lanes

    def __init__(self, consumer: Consumer, settings: WorkerSettings, **options: Any) -> None:
        _require_declared(consumer)
        meter = HandlerMeter()
        # innermost, so that it measures handlers and not what is around them
        consumer = consumer.with_options(middleware=[*consumer.middleware, meter])
        super().__init__(
            consumer.name,
            **{  # type: ignore[arg-type]  # Faust's settings, of many types
                "broker": f"kafka://{settings.kafka_bootstrap}",
                # what stands in the environment wins over all that follows, be it there for somebody else: APP_VERSION
                # or BROKER_URL, say; so Faust's variables have a name of their own
                "env_prefix": "FAUST",
                "autodiscover": False,
                "broker_client_id": _client_id(consumer.name, settings),
                "broker_commit_interval": 1.0,
                "broker_heartbeat_interval": HEARTBEAT_S,
                "broker_session_timeout": SESSION_S,
                "broker_max_poll_interval": refusals.POLL_INTERVAL_S,
                "broker_max_poll_records": POLLED_BATCHES * consumer.max_batch,
                # where a position does not exist is told of, and not passed over by the client
                "consumer_auto_offset_reset": "none",
                "consumer_metadata_max_age_ms": int(METADATA_AGE_S * 1000),
                "datadir": str(settings.schema_cache / "faust"),
                "store": "memory://",
                "stream_buffer_maxsize": 16,
                "stream_wait_empty": False,
                "topic_allow_declare": False,
                "topic_disable_leader": True,
                "web_enabled": False,
                "worker_redirect_stdouts": False,
                "ConsumerScheduler": WholeBatches,
                "PartitionAssignor": EvenAssignor,
                "TableManager": NoTables,
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
        outbox = Outbox.open(settings.registry_url, settings.schema_cache, consumer.outgoing)
        intake = Intake(consumer, codec, self._window)
        self._due: tuple[DueWork[Any], ...] = (
            ParkedWork(consumer, self._store, intake, outbox),
            DelayedMessages(),
        )
        self.lanes = Lanes(
            Tools(
                intake=intake,
                processor=Processor(consumer, self._store, outbox),
                position=self._store.position,
                seek=self._seek,
                retries=consumer.retries,
                max_batch=consumer.max_batch,
                turn=asyncio.Semaphore(consumer.parallel_partitions),
            )
        )
        self._health = HealthServer(
            consumer.name,
            self._partition_health,
            self._trouble,
            ignored=intake.ignored.counts,
            expired=intake.expired.counts,
            handlers=meter.stats,
        )
        self._admin = new_admin(settings.kafka_bootstrap)
        self._watchdog = Watchdog(
            group=consumer.name,
            topics=consumer.topics,
            bootstrap=settings.kafka_bootstrap,
            progress=self.lanes.progress,
            topic_ids=lambda: self._store.topic_ids,
            is_taking_over=lambda: self._batch_consumer().is_trying_to_take_over(settings.stall_s),
            moved=self._moved,
            limit_s=settings.stall_s,
            end=self._end,
        )
        self._is_checked = self._has_started = False
        self._chores = Chores()
        self._resets: dict[Place, str] = {}
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
            self._take_port()
            refusals.check(self, self.declared, self._settings.kafka_bootstrap)
            self._is_checked = True

    async def take_over(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Stop what is being worked on, and return where to begin in each of these partitions."""
        await self.lanes.close(STOP_S)
        beginning = await find_positions(
            places, self._store, self._read_topics, self._watchdog.known_ends
        )
        self._store.topic_ids = beginning.topic_ids
        self._watchdog.seen_at = time.monotonic()
        self._resets |= beginning.resets
        return beginning.offsets

    async def let_go(self) -> None:
        """Finish the transactions under way and work on nothing more."""
        await self.lanes.close(STOP_S)

    async def until_compared(self) -> None:
        """Return when the positions were compared with Kafka a moment ago, as they are all the time."""
        given_up_at = time.monotonic() + LONGEST_WAIT_S
        while time.monotonic() - self._watchdog.seen_at > STALE_S:
            if time.monotonic() > given_up_at:
                return
            await asyncio.sleep(LOOK_AGAIN_S)

    async def on_first_start(self) -> None:
        """Open the database, and see to the inbox, before the first batch comes."""
        self.check()
        await self._health.start()
        if self._settings.port:
            await remove_left_behind(
                self._settings.kafka_bootstrap, self.conf.id, self.conf.broker_client_id
            )
        await self._pool.open(wait=True)
        await self._store.remember_for(self.declared.inbox_window)
        await self._store.maintain(self._window)
        await super().on_first_start()

    async def on_started(self) -> None:
        """Begin with what is done beside consuming."""
        await super().on_started()
        self._has_started = True
        self._watchdog.start()
        self._chores.start(
            [
                Chore("working on what is due", LOOK_EVERY_S, self._work_on_what_is_due),
                Chore("maintenance of the inbox", MAINTAIN_EVERY_S, self._maintain),
                Chore("passing over gaps", SKIP_EVERY_S, self._skip),
            ]
        )

    async def on_stop(self) -> None:
        """Finish the transactions under way, leave the group, then close the database."""
        self._watchdog.stop()
        await self._chores.stop()
        await self.lanes.close(STOP_S)
        await super().on_stop()
        await self._health.stop()
        await self._pool.close()

    def _take_port(self) -> None:
        """Take the port of the health endpoints, which shows too that no process before this one is alive.

        Raises:
            RefusedError: there is one.
        """
        host, port = self._settings.host, self._settings.port
        try:
            taken = self._health.bind(host, port)
        except OSError as error:
            raise refusals.RefusedError(
                f"{host}:{port}, for the health endpoints of {self.conf.id}, cannot be taken ({error.strerror}): a "
                "worker may run there already; end it, or give this one another TAILRACE_PORT."
            ) from error
        log.info("health endpoints", extra={"fields": {"host": host, "port": taken}})

    def _new_transport(self) -> TransportT:
        return BatchTransport(self.conf.broker_consumer, self)

    def _batch_consumer(self) -> BatchConsumer:
        return cast(BatchConsumer, self.consumer)

    async def _consume(self, stream: StreamT[Any]) -> None:
        async for event in cast(Stream[Any], stream).noack().events():
            lane = self.lanes.get(Place(*event.message.tp))
            if lane is not None:
                lane.add(Batch(event.value, event))

    async def _read_topics(self) -> Mapping[str, Topic]:
        return await asyncio.to_thread(read_topics, self._admin, self.declared.topics)

    def _moved(self) -> None:
        """Begin anew in all partitions, as Kafka does not have what lies at a position; called by the watchdog."""
        self.loop.call_soon_threadsafe(self._batch_consumer().take_over_again)

    async def _seek(self, place: Place, offset: int) -> None:
        await self._batch_consumer().seek_wait({TP(*place): offset})

    async def _work_on_what_is_due(self) -> None:
        for work in self._due:
            while await work_once(work, self._store):
                pass

    async def _maintain(self) -> None:
        await self._store.maintain(self._window)

    async def _skip(self) -> None:
        await self._batch_consumer().skip_gaps()

    def _end(self, trouble: str) -> None:
        """End the process at once: one that stands still cannot be trusted to stop in good order, and need not."""
        said = f"{self.declared.name}: {trouble}: ending, to be started again"
        log.critical(said, extra={"fields": _who_holds_up(self.loop)})
        logging.shutdown()
        os._exit(STALLED)

    def _trouble(self) -> str:
        """Return why the worker is not ready; empty when it holds what it should, and comes on."""
        if self.should_stop or not self._has_started:
            return "the worker is stopping" if self.should_stop else "the worker is starting"
        if self.rebalancing:
            return "the consumer group is being rebalanced"
        if self._batch_consumer().is_taking_over:
            return "partitions are being taken over"
        holds_some = bool(self.lanes.places()) or self._watchdog.is_spare
        return self._watchdog.trouble or ("" if holds_some else "the worker holds no partition")

    def _partition_health(self) -> list[PartitionHealth]:
        return partition_health(
            self.lanes.progress(), self._watchdog.ends, self._resets, time.time()
        )


class EvenAssignor(PartitionAssignor):
    """Faust's assignor without standbys of tables, with which one of four members would get none of six partitions."""

    def __init__(self, app: AppT, replicas: int = 0) -> None:
        super().__init__(app)


class NoTables(TableManager):
    """Faust's tables, of which a worker has none: they are not waited for."""

    async def on_start(self) -> None:
        """Be done at once, instead of after a second in which tables might be declared."""
        await self._update_channels()
        await self.recovery.start()


def _client_id(consumer: str, settings: WorkerSettings) -> str:
    """Return the same id for each process that is started in the place of an ended one.

    There can be one at a time: it listens on the port.
    """
    return f"{consumer}-{socket.gethostname()}-{settings.port}" if settings.port else consumer


def _who_holds_up(loop: asyncio.AbstractEventLoop) -> dict[str, str]:
    """Tell where an event loop is held up, if it is: that may be the doing of another worker of the process."""
    if asyncio.current_task(loop) is None:
        return {}
    frame = sys._current_frames()[threading.main_thread().ident or 0]  # noqa: SLF001 - nothing public tells
    calls = traceback.extract_stack(frame)[-TOLD_CALLS:]
    return {
        "held_up_in": " > ".join(f"{call.filename}:{call.lineno} {call.name}" for call in calls)
    }


def _require_declared(consumer: Consumer) -> None:
    """Refuse a consumer of which the catalogue does not know: whoever changes a message would not hear of it."""
    ours = [name for name in consumer.topics if name in catalogue().topics]
    for message in consumer.messages if ours else ():
        if consumer.name not in catalogue().consumers_of(message.NAME):
            raise LookupError(
                f"{consumer.name} handles {message.NAME}, of which catalogue.toml does not know; add it "
                "to the topic's consumers"
            )
