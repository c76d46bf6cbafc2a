"""The schema beside the live one in which projections are built, and the ways in which messages get into it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

from cdc.sql import load_queries
from consumers.replay.engine import Engine, Moved, Tell
from consumers.replay.errors import ReplayError
from consumers.replay.log_source import LogRows, has_log
from consumers.replay.manual_edits import ManualEdits
from consumers.replay.outside import no_network
from consumers.replay.plan import open_source, places_of
from consumers.replay.sandbox import Sandbox, SandboxStore, named
from consumers.replay.sandbox_run import ReplayTarget
from consumers.replay.selection import Selection
from consumers.replay.source import Changed, Plan, Range, Source
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import REPLAY_RUN
from consumers.runtime.store import Place
from consumers.runtime.window import InboxWindow

QUERIES = load_queries(__package__)

Positions = Mapping[Place, int]
TellOf = Callable[[int, int], None]
"""Told how many messages lie behind, and of how many."""


class RebuildSchema:
    """Holds what a consumer's handlers make of the messages that are given to them.

    Attributes:
        amendments: Which messages are left out, and which have another value than was sent.
        messages: Messages that took effect.
    """

    def __init__(
        self,
        subject: ReplayTarget,
        consumer: Consumer,
        sandbox: Sandbox,
        store: SandboxStore,
        window: InboxWindow,
        amendments: ManualEdits,
        tell: TellOf,
    ) -> None:
        self.amendments = amendments
        self.messages = 0
        self._subject = subject
        self._consumer = consumer
        self._schema = sandbox.schema
        self._mark = [(REPLAY_RUN, sandbox.info.run_id.encode())]
        self._store = store
        self._window = window
        self._codec = subject.codec(consumer)
        self._outbox = subject.outbox(consumer)
        self._tell = tell
        self._total = 0
        self._reached: dict[Place, int] = {}

    def begin_at(self, begins: Positions) -> None:
        self._reached = dict(begins)

    def left(self, positions: Positions) -> int:
        """Return how many messages lie between what is applied and positions."""
        return sum(positions.get(place, at) - at for place, at in self._reached.items())

    async def advance(self, positions: Positions) -> int:
        """Apply what lies between what is applied and positions, and return how many messages took effect."""
        ranges = tuple(
            Range(place=place, begin=begin, end=positions[place], count=positions[place] - begin)
            for place, begin in self._reached.items()
            if positions.get(place, begin) > begin
        )
        if not ranges:
            return 0
        selection = Selection(
            topics=tuple(self._consumer.topics), types=tuple(self._consumer.table)
        )
        plan = Plan(kind="kafka", why="", ranges=ranges, start=None, end=None, is_whole=True)
        applied = await self.apply(plan, selection)
        self._reached.update({each.place: each.end for each in ranges})
        return applied

    async def apply(self, plan: Plan, selection: Selection) -> int:
        """Apply what a plan reads, and return how many messages took effect."""
        subject = self._subject
        source = open_source(
            plan, selection, subject.bootstrap, subject.logs, self._codec, self._mark
        )
        return await self._run(source, places_of(plan), total=plan.total)

    async def fill_gaps(self, since: UUID) -> int:
        """Apply what the live consumer has taken and was not handed out here; return how many took effect.

        Raises:
            ReplayError: a message that was taken is nowhere.
        """
        ids = await self._gaps(since)
        if not ids:
            return 0
        await self.forget_positions()
        applied = 0
        for topic in self._consumer.topics:
            if has_log(topic, self._subject.logs):
                rows = LogRows(self._subject.logs, topic, ids, self._mark)
                applied += await self._run(rows, {Place(topic, 0): 0}, total=0)
        await self.forget_positions()
        # what the worker has taken meanwhile was not asked for
        if lost := sorted(set(ids).intersection(await self._gaps(since))):
            raise ReplayError(
                f"{len(lost)} messages that {self._subject.name} has taken are neither in Kafka nor in an event log, "
                f"the first of them {lost[0]}: without them the projection would be another; nothing was changed"
            )
        return applied

    async def forget_positions(self) -> None:
        """Have the consumer be nowhere, as sequence numbers of a log are no offsets of a partition."""
        async with self._schema.connection() as connection:
            await connection.execute(QUERIES["forget_positions"])

    async def taken_of(self, ids: list[Any]) -> bool:
        async with self._schema.connection() as connection:
            parameters = {"consumer": self._subject.name, "ids": ids}
            cursor = await connection.execute(QUERIES["taken_and_handled"], parameters)
            return bool(await cursor.fetchall())

    async def parked(self) -> list[Any]:
        async with self._schema.connection() as connection:
            parameters = {"consumer": self._subject.name, "limit": None}
            cursor = await connection.execute(QUERIES["sandbox_parked"], parameters)
            return await cursor.fetchall()

    async def _gaps(self, since: UUID) -> list[str]:
        """Return the ids, from one on, that the live consumer has taken and that were not applied here."""
        query = named(QUERIES["gaps"].decode(), ":live", self._subject.role)
        async with self._schema.connection() as connection:
            parameters = {"consumer": self._subject.name, "since": since}
            cursor = await connection.execute(query, parameters)
            rows = await cursor.fetchall()
        return [row[0] for row in rows if not self.amendments.leaves_out(row[0])]

    async def _run(self, source: Source, begins: Positions, *, total: int) -> int:
        self._total += total
        try:
            with no_network(self._subject.registry_url):
                engine = Engine(
                    self._consumer, self._store, self._codec, self._outbox, self._window
                )
                if self.amendments:
                    source = Changed(source, self.amendments.applied)
                await engine.run(source, dict(begins), tell=self._told())
        finally:
            await asyncio.to_thread(source.close)
        self.messages += engine.totals.applied
        return engine.totals.applied

    def _told(self) -> Tell:
        return partial(self._told_of, self.messages)

    def _told_of(self, before: int, moved: Moved) -> None:
        self._tell(before + moved.read, self._total)


@asynccontextmanager
async def rebuild_schema_there(
    subject: ReplayTarget,
    consumer: Consumer,
    sandbox: Sandbox,
    amendments: ManualEdits,
    tell: TellOf,
) -> AsyncIterator[RebuildSchema]:
    """Make a shadow, and drop it whatever happens."""
    try:
        await sandbox.make()
        async with sandbox.working(), sandbox.open_pool(consumer.parallel_partitions + 2) as pool:
            store = SandboxStore(consumer.name, pool)
            window = InboxWindow()
            await store.open_inbox(window)
            yield RebuildSchema(subject, consumer, sandbox, store, window, amendments, tell)
    finally:
        await sandbox.drop()
