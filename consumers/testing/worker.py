"""A worker without Kafka: the runtime's own intake, processor and retrier, driven by hand and never waiting."""

import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from cdc.due import work_once
from cdc.outbox import Outbox
from consumers.runtime.consumer import Consumer
from consumers.runtime.failures import is_transient, waits_without_end
from consumers.runtime.intake import Intake
from consumers.runtime.locking.stash import StashWork
from consumers.runtime.processor import Chunk, Processor, TooSlowError
from consumers.runtime.received import Received
from consumers.runtime.retries import ParkedWork
from consumers.runtime.store import FenceLostError, Place, Store
from consumers.runtime.window import InboxWindow
from consumers.testing.database import Database
from consumers.testing.log import Log
from consumers.testing.schemas import local_codec

PATIENT_ATTEMPTS = 3
"""Attempts before a party that cannot be reached has used up the partition's patience, which here is not measured."""
MOST_ATTEMPTS = 20
"""Attempts before the trouble of the database, which a worker waits out, is handed to the test."""

MOST_RETRIES = 10_000
"""Attempts at parked messages before it is plain that they come to no end."""

T = TypeVar("T")


class Worker:
    """Works through a log, as a worker does between its start and its death.

    What a lane does with a batch is done here without pauses: go back when the fence is lost, cut what is too slow,
    repeat what is transient.
    """

    def __init__(
        self, consumer: Consumer, store: Store, outbox: Outbox, window: InboxWindow
    ) -> None:
        self._consumer = consumer
        self._store = store
        self.positions: dict[Place, int] = {}
        """Where it believes to be; what the database says is asked for when a partition is new to it."""
        self.fences_lost = 0
        self.intake = Intake(consumer, local_codec(consumer.messages), window)
        self.processor = Processor(consumer, store, outbox)
        self.parked = ParkedWork(consumer, store, self.intake, outbox)
        self._stash = StashWork(consumer, store, self.intake, outbox)
        self._due = [make(consumer, outbox) for make in consumer.due]

    async def catch_up(self, log: Log, rng: random.Random | None = None) -> None:
        """Work through all partitions to their ends.

        Args:
            rng: Chooses the partition and the size of each batch; without one, each partition is read in large batches.
        """
        behind = list(log.places)
        while behind:
            place = rng.choice(behind) if rng else behind[0]
            limit = rng.randint(1, 7) if rng else self._consumer.max_batch
            if not await self.step(log, place, limit):
                behind.remove(place)

    async def step(self, log: Log, place: Place, limit: int) -> bool:
        """Apply the next batch of a partition.

        Returns:
            Whether there was one.
        """
        if place not in self.positions:
            self.positions[place] = await self._until_it_works(lambda: self._begin(place))
        records = log.fetch(place, self.positions[place], limit)
        if not records:
            return False
        batch = await self.intake.prepare(records)
        while batch:
            done = await self._apply(place, batch)
            if not done:
                break
            batch = batch[done:]
        return True

    async def retry(self) -> int:
        """Try parked messages again as long as any are due; return how many sequences were tried."""
        for tried in range(MOST_RETRIES):
            if not await self._until_it_works(self.retry_one):
                return tried
        raise AssertionError(f"after {MOST_RETRIES} attempts there are still messages due")

    async def retry_one(self) -> bool:
        """Try the messages of one key whose time has come; return whether there were any."""
        return await work_once(self.parked, self._store)

    async def work_on_stash(self) -> int:
        """Take out of the stash what waits for nothing any more; return how often there was something."""
        for taken in range(MOST_RETRIES):
            if not await self._until_it_works(partial(work_once, self._stash, self._store)):
                return taken
        raise AssertionError(f"after {MOST_RETRIES} attempts there is still something in the stash")

    async def work_on_due(self) -> None:
        """Do the due work that the consumer brings, as long as there is any."""
        for work in self._due:
            while await self._until_it_works(partial(work_once, work, self._store)):
                pass

    async def settle(self, database: Database[Any]) -> None:
        """Let time pass until no parked message has an attempt left, and none is stashed whose target is free."""
        tried = 1
        while tried:
            await database.pass_time(self._consumer.retries.longest_pause_s + 1)
            tried = await self.retry() + await self.work_on_stash()

    async def _begin(self, place: Place) -> int:
        position = await self._store.position(place)
        return await self._store.begin(place, 0) if position is None else position

    async def _apply(self, place: Place, batch: list[Received[Any]]) -> int:
        """Apply what can be applied at once; return how many messages that were, 0 when they are not ours any more."""
        patience = PATIENT_ATTEMPTS
        for attempt in range(1, MOST_ATTEMPTS + 1):
            next_offset = batch[-1].record.offset + 1
            try:
                chunk = Chunk(place, self.positions[place], batch, next_offset)
                await self.processor.apply(chunk, patient=patience > 0)
            except FenceLostError:
                self.fences_lost += 1
                self.positions[place] = await self._until_it_works(lambda: self._begin(place))
                return 0
            except TooSlowError as error:
                batch = batch[: max(1, error.handled // 10)]
            except Exception as error:
                if not is_transient(error) or attempt == MOST_ATTEMPTS:
                    raise
                if not waits_without_end(error):
                    batch, patience = batch[:1], patience - 1
            else:
                self.positions[place] = next_offset
                return len(batch)
        raise AssertionError(f"{place} is not worked through after {MOST_ATTEMPTS} attempts")

    @staticmethod
    async def _until_it_works(attempt: Callable[[], Awaitable[T]]) -> T:
        for _ in range(MOST_ATTEMPTS - 1):
            try:
                return await attempt()
            except Exception as error:
                if not is_transient(error):
                    raise
        return await attempt()
