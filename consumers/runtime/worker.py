"""A worker: what it is made of, and how that starts, goes on and stops. Faust drives it."""

import asyncio
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

import mode
import psycopg
from mode.types import ServiceT

from cdc.chores import Chore, Chores
from cdc.database import Pool, connect, open_pool
from cdc.delayed import DelayedMessages
from cdc.due import LOOK_EVERY_S, DueWork, work_on_all
from cdc.kafka import Admin, Topic, read_topics
from cdc.logs import FieldLogger
from cdc.outbox import Outbox
from consumers.runtime import refusals
from consumers.runtime.answering.responder import Responder
from consumers.runtime.consumer import Consumer
from consumers.runtime.driver import Driver
from consumers.runtime.failures import is_transient
from consumers.runtime.group import remove_left_behind
from consumers.runtime.health import HealthServer, partition_health
from consumers.runtime.intake import Intake
from consumers.runtime.lanes import Lanes, LaneServices
from consumers.runtime.locking.postgres import Waiting
from consumers.runtime.locking.stash import StashWork
from consumers.runtime.middleware import HandlerMeter, TimeLimit
from consumers.runtime.pace import pause_s
from consumers.runtime.peers import Peers
from consumers.runtime.positions import find_positions
from consumers.runtime.postgres import PostgresStore
from consumers.runtime.processor import Processor
from consumers.runtime.retries import ParkedWork
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.store import Place
from consumers.runtime.transport import LOOK_AGAIN_S
from consumers.runtime.turns import Turns
from consumers.runtime.watch import Watch, Watched
from consumers.runtime.window import InboxWindow
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.registry import SchemaStore

STALLED = 75
"""Exit status of a worker that stood still (EX_TEMPFAIL of sysexits.h): to be started again."""

TOLD_CALLS = 5
"""How many of the innermost calls are told of when an event loop is held up."""

STOP_S = 10.0
"""How long a transaction under way may take when the worker stops or loses its partitions."""
MAINTAIN_EVERY_S = 3600.0
SKIP_EVERY_S = 2.0
COUNT_EVERY_S = 5.0
LONGEST_WAIT_S = 10.0
PAUSE_S = 1.0

LINGER_S = 0.5
"""How long a position may stay before records that nobody handles: half of what payments reads is of that kind."""

HANDLER_SHARE = 0.75
"""How much of the time after which a process ends that stands still a call of a handler may take."""

STALE_S = 3.0
"""How long ago positions may have been compared with Kafka before records are held back until they are again."""

log = FieldLogger(__name__)


class Worker(mode.Service):
    """Works on the messages of one consumer: lanes over a store, what is done beside them, and who watches over all.

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

    def __init__(self, consumer: Consumer, settings: WorkerSettings, **options: object) -> None:
        super().__init__()
        _require_declared(consumer)
        limit, meter = TimeLimit(HANDLER_SHARE * settings.stall_s), HandlerMeter()
        # the meter is innermost, so that it measures handlers and not what is around them
        consumer = consumer.with_options(middleware=[limit, *consumer.middleware, meter])
        self._consumer = consumer
        self._settings = settings
        self._driver = Driver(consumer, settings, self, options)
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
            *([StashWork(consumer, self._store, intake, outbox)] if consumer.locks else []),
            DelayedMessages(),
            *(make(consumer, outbox) for make in consumer.due),
        )
        self._own_chores = consumer.chores(self._pool, outbox) if consumer.chores else ()
        self._turns = Turns(
            Processor(consumer, self._store, outbox),
            consumer.parallel_partitions,
            shares=consumer.max_batch > 1,
        )
        self.lanes = Lanes(
            LaneServices(
                intake=intake,
                turns=self._turns,
                position=self._store.position,
                seek=self._driver.seek,
                retries=consumer.retries,
                max_batch=consumer.max_batch,
                linger_s=LINGER_S,
            )
        )
        self._responder = (
            Responder(consumer, settings, self._driver.conf.broker_client_id)
            if consumer.answers
            else None
        )
        self._waiting = Waiting(consumer.name)
        self._health = HealthServer(
            consumer.name,
            self._partition_health,
            self._trouble,
            lambda: {
                "handlers": {name: asdict(stats) for name, stats in meter.stats().items()},
                "ignored": intake.ignored.counts(),
                "expired": intake.expired.counts(),
                "answers": self._responder.counts() if self._responder else {},
                "stashed": self._waiting.figures,
            },
        )
        self._admin = Admin(settings.kafka_bootstrap)
        self.watch = Watch(
            Watched(
                bootstrap=settings.kafka_bootstrap,
                group=consumer.name,
                topics=consumer.topics,
                progress=self.lanes.progress,
                topic_ids=lambda: self._store.topic_ids,
                is_taking_over=lambda: self._driver.batches.is_trying_to_take_over(
                    settings.stall_s
                ),
                moved=self._driver.take_over_again,
                end=self._end,
            ),
            Peers(settings.host, self._driver.conf.broker_client_id),
            settings.stall_s,
        )
        self._is_checked = self._has_asked = False
        self._starting = "the worker is starting"
        """Why it does not work yet; empty when it does."""
        self._chores = Chores(is_transient)
        self._resets: dict[Place, str] = {}

    @property
    def name(self) -> str:
        """Name of the consumer."""
        return self._consumer.name

    def check(self) -> None:
        """Refuse to run as configured. Done once, by `run` or by whoever else starts the worker.

        Raises:
            RefusedError: messages could be lost, repeated or read by strangers.
        """
        if not self._is_checked:
            self._take_port()
            self._refuse()
            self._is_checked = True

    async def take_over(self, places: Sequence[Place]) -> Mapping[Place, int]:
        await self.lanes.close(STOP_S)
        beginning = await find_positions(
            places, self._store, self._read_topics, self.watch.known_ends
        )
        self._store.topic_ids = beginning.topic_ids
        self.watch.seen_at = time.monotonic()
        self._resets |= beginning.resets
        return beginning.offsets

    async def let_go(self) -> None:
        await self.lanes.close(STOP_S)

    def pause_s(self, count: int) -> float:
        return pause_s(count, self._turns.took_s, self._consumer.gather_s)

    async def until_compared(self) -> None:
        given_up_at = time.monotonic() + LONGEST_WAIT_S
        while time.monotonic() - self.watch.seen_at > STALE_S:
            if time.monotonic() > given_up_at:
                return
            await asyncio.sleep(LOOK_AGAIN_S)

    def on_init_dependencies(self) -> list[ServiceT]:
        """What is started after this, and stopped before it is over."""
        return [self._driver]

    async def on_first_start(self) -> None:
        """Open the database, and see to the inbox, before the first batch comes."""
        self.check()
        await self._health.start()
        if self._settings.port:
            await remove_left_behind(
                self._settings.kafka_bootstrap, self.name, self._driver.conf.broker_client_id
            )
        await self._pool.open()
        await self._prepare_database()

    async def _prepare_database(self) -> None:
        """See to what must be there before a message is taken.

        The database is waited for, as it would be later: it may be that of this worker alone, and others share the
        process.
        """
        while not self.should_stop:
            try:
                await asyncio.to_thread(self._ask_at_start)
                await self._store.remember_for(self._consumer.inbox_window)
                await self._maintain()
            except Exception as error:
                if not is_transient(error):
                    raise
                self._starting = f"the worker waits for its database: {error}"
                log.warning("worker waits for its database", error=repr(error), again_in_s=PAUSE_S)
                await asyncio.sleep(PAUSE_S)
            else:
                return

    async def on_started(self) -> None:
        """Begin with what is done beside consuming."""
        self._starting = ""
        self.watch.is_kept = True
        if self._responder:
            await self._responder.start()
        self._chores.start(
            [
                Chore("working on what is due", LOOK_EVERY_S, self._work_on_what_is_due),
                Chore("maintenance of the inbox", MAINTAIN_EVERY_S, self._maintain),
                Chore("passing over gaps", SKIP_EVERY_S, self._driver.batches.skip_gaps),
                *self._looks_at_the_stash(),
                *self._own_chores,
            ]
        )

    def _looks_at_the_stash(self) -> Sequence[Chore]:
        if not self._consumer.locks:
            return []
        return [
            Chore("counting what waits", COUNT_EVERY_S, partial(self._waiting.look, self._pool))
        ]

    async def on_stop(self) -> None:
        """Finish the transactions under way; the driver leaves the group then."""
        self.watch.is_kept = False
        await self._chores.stop()
        if self._responder:
            await self._responder.stop()
        await self.lanes.close(STOP_S)

    async def on_shutdown(self) -> None:
        """Close the database."""
        await self.lanes.close(STOP_S)  # partitions may have come until the driver had stopped
        await self._health.stop()
        await self._pool.close()

    def _refuse(self) -> None:
        refusals.check(self._driver.conf, self._consumer, self._settings.kafka_bootstrap)
        with suppress(psycopg.OperationalError):  # it is asked again before the worker works
            self._ask_at_start()

    def _ask_at_start(self) -> None:
        if self._consumer.at_start and not self._has_asked:
            with connect(self._settings.database_url) as connection:
                self._consumer.at_start(connection)
        self._has_asked = True

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
                f"{host}:{port}, for the health endpoints of {self.name}, cannot be taken ({error.strerror}): a "
                "worker may run there already; end it, or give this one another TAILRACE_PORT."
            ) from error
        log.info("health endpoints", host=host, port=taken)

    async def _read_topics(self) -> Mapping[str, Topic]:
        with self._admin.asking() as admin:
            return await asyncio.to_thread(read_topics, admin, self._consumer.topics)

    async def _work_on_what_is_due(self) -> None:
        await work_on_all(self._due, self._store)

    async def _maintain(self) -> None:
        await self._store.maintain(self._window)

    def _end(self, trouble: str) -> None:
        """End the process at once: one that stands still cannot be trusted to stop in good order, and need not."""
        fields = {"consumer": self.name, "because": trouble} | _who_holds_up(self.loop)
        log.error("worker stands still: ending, to be started again", **fields)
        logging.shutdown()
        os._exit(STALLED)

    def _trouble(self) -> str:
        """Return why the worker is not ready; empty when it holds what it should, and comes on."""
        if self.should_stop or self._starting:
            return "the worker is stopping" if self.should_stop else self._starting
        if self._driver.rebalancing:
            return "the consumer group is being rebalanced"
        if self._driver.batches.is_taking_over:
            return "partitions are being taken over"
        if not self.lanes.places() and not self.watch.is_spare:
            return self.watch.trouble or "the worker holds no partition"
        return self.watch.trouble or (self._responder.trouble if self._responder else "")

    def _partition_health(self) -> list[dict[str, Any]]:
        return partition_health(self.lanes.progress(), self.watch.ends, self._resets, time.time())


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
    handled = [message.NAME for message in consumer.messages] if ours else []
    for name in (*handled, *consumer.answer_table):
        if consumer.name not in catalogue().consumers_of(name):
            raise LookupError(
                f"{consumer.name} handles {name}, of which catalogue.toml does not know; add it to the topic's "
                "consumers"
            )
