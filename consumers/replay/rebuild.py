"""Builds the projections of a consumer anew from all messages, beside the live ones and while its worker goes on.

What the worker has taken is told by its positions: everything before them, and nothing else. Messages that Kafka has
deleted come from the event log, the others from Kafka, up to the live positions. When little is left, the positions are
locked, so that the worker waits; the rest is applied, the live rows become the new ones, and all of it commits at once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import psycopg

from cdc.database import Connection
from cdc.sql import load_queries
from consumers.replay.amended import Amended, Amendments
from consumers.replay.bounds import Bound
from consumers.replay.engine import Engine, Moved, Tell
from consumers.replay.errors import ReplayError
from consumers.replay.history import by_place, id_at, oldest_in_kafka
from consumers.replay.kafka_plan import bounds_of
from consumers.replay.log_source import LogRows, has_log, plan_log
from consumers.replay.outside import CapturedOutside, walled_in
from consumers.replay.plan import open_source, places_of
from consumers.replay.sandbox import SandboxInfo, SandboxStore, named
from consumers.replay.sandboxed import Subject
from consumers.replay.selection import Selection
from consumers.replay.source import Plan, Range, Source
from consumers.replay.swap import Swapped, swap
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import REPLAY_RUN
from consumers.runtime.positions import Bounds
from consumers.runtime.store import Place
from consumers.runtime.throwaway import leading_into
from consumers.runtime.window import InboxWindow

QUERIES = load_queries(__package__)
FEW = 500
"""So many messages may be left when the worker is made to wait."""
MOST_ROUNDS = 50
MOST_BUILDS = 3
LOCK_WAIT_S = 15
"""How long the hand-over waits for the transactions that the worker has under way."""
RECENT = timedelta(hours=1)
SINCE_EVER = UUID(int=0)

Positions = Mapping[Place, int]
EngineOf = Callable[[], AbstractAsyncContextManager[Engine]]
TellOf = Callable[[int, int], None]
"""Told how many messages lie behind, and of how many."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild came to.

    Args:
        messages: Messages that the projections were made of.
        handed_over: Messages that were applied while the worker waited.
        waited_s: How long it waited, in seconds.
        tables: What became of each projection.
    """

    messages: int
    handed_over: int
    waited_s: float
    tables: list[Swapped]


class _OvertakenError(Exception):
    """Parked messages have taken effect, or were parked anew, so that what was built does not fit any more."""


class Rebuild:
    """One rebuild.

    Args:
        subject: The consumer.
        run_id: Id of the rebuild.
        tell: Is told how many messages lie behind, of how many.
    """

    def __init__(self, subject: Subject, run_id: str, tell: TellOf) -> None:
        self._subject = subject
        self._run_id = run_id
        self._tell = tell
        self._info = SandboxInfo.new(run_id, subject.name, subject.role)
        self._shadow = subject.sandbox(self._info)
        self._consumer: Consumer = subject.build(self._shadow.schema.inside_url, CapturedOutside())
        self.tables = [name for name, each in self._consumer.tables.items() if each.is_projection]
        if not self.tables:
            raise ReplayError(
                f"{subject.name} declares no table as a projection (is_projection in its bootstrap): what else made "
                "them cannot be made again from messages"
            )
        self._done: dict[Place, int] = {}
        self._messages = 0
        self._total = 0

    async def run(self) -> Rebuilt:
        """Build and hand over; the live projections are as before when this raises.

        Raises:
            ReplayError: the worker is too far behind, or a handler fails.
        """
        for _ in range(MOST_BUILDS):
            try:
                await self._shadow.make()
                async with self._live() as live:
                    return await self._build(live)
            except _OvertakenError:
                continue
            finally:
                await self._shadow.drop()
        raise ReplayError(
            f"parked messages of {self._subject.name} were tried again during each of {MOST_BUILDS} builds; nothing "
            "was changed, try again when `tailrace parked list` shows that they are settled"
        )

    async def _build(self, live: Connection) -> Rebuilt:
        self._done, self._messages = {}, 0
        started_at = datetime.now(UTC)
        amendments = await Amendments.read(live, self._subject.name)
        async with self._working() as engine_of:
            begins = await self._from_log(live, engine_of, amendments, started_at)
            await self._catch_up(live, engine_of, amendments, begins)
            await self._fill_gaps(live, engine_of, amendments, SINCE_EVER)
            since = id_at(started_at - RECENT)
            return await self._hand_over(live, engine_of, amendments, since)

    async def _from_log(
        self, live: Connection, engine_of: EngineOf, amendments: Amendments, now: datetime
    ) -> Positions:
        """Apply what Kafka has no more; return where the rest begins."""
        topics = self._consumer.topics
        bounds = await asyncio.to_thread(bounds_of, self._subject.bootstrap, topics)
        for topic in topics:
            mine = {place: each for place, each in bounds.items() if place.topic == topic}
            if not has_log(topic, self._subject.logs):
                if any(each.begin > 0 for each in mine.values()):
                    raise ReplayError(
                        f"Kafka has deleted a part of {topic}, which has no event log: the projection cannot be made "
                        "anew"
                    )
                continue
            cut = await asyncio.to_thread(oldest_in_kafka, self._subject.bootstrap, mine, now)
            if cut is None:
                continue
            await self._require_taken(live, mine)
            selection = Selection(topics=(topic,), end=Bound(time=cut), types=self._types())
            plan = await asyncio.to_thread(plan_log, self._subject.logs, selection, now, "")
            await self._apply(engine_of, plan, selection, amendments)
        await self._forget_positions()
        return {place: each.begin for place, each in bounds.items()}

    async def _require_taken(self, live: Connection, bounds: Mapping[Place, Bounds]) -> None:
        """Refuse when the worker has not even taken what Kafka has deleted.

        Raises:
            ReplayError: it has not.
        """
        positions = await self._positions(live)
        for place, each in bounds.items():
            if positions.get(place, 0) < each.begin:
                raise ReplayError(
                    f"{self._subject.name} is at {positions.get(place, 0)} of {place.topic}/{place.partition}, and "
                    f"Kafka begins at {each.begin}: start its worker, and rebuild when `tailrace lag` shows that it "
                    "goes on"
                )

    async def _catch_up(
        self,
        live: Connection,
        engine_of: EngineOf,
        amendments: Amendments,
        begins: Positions,
    ) -> None:
        """Apply what Kafka has, up to where the worker stands, until little is left."""
        self._done = dict(begins)
        for _ in range(MOST_ROUNDS):
            await self._advance(engine_of, amendments, await self._positions(live))
            if self._left(await self._positions(live)) <= FEW:
                return
        raise ReplayError(
            f"{self._subject.name} takes messages faster than they can be applied here; try again when less comes in"
        )

    async def _advance(
        self, engine_of: EngineOf, amendments: Amendments, positions: Positions
    ) -> int:
        """Apply what lies between what is done and positions, and return how many messages that were."""
        ranges = tuple(
            Range(place=place, begin=begin, end=positions[place], count=positions[place] - begin)
            for place, begin in self._done.items()
            if positions.get(place, begin) > begin
        )
        if not ranges:
            return 0
        selection = Selection(topics=self._topics(), types=self._types())
        plan = Plan(kind="kafka", why="", ranges=ranges, start=None, end=None, is_whole=True)
        applied = await self._apply(engine_of, plan, selection, amendments)
        self._done.update({each.place: each.end for each in ranges})
        return applied

    async def _fill_gaps(
        self, live: Connection, engine_of: EngineOf, amendments: Amendments, since: UUID
    ) -> int:
        """Apply what the worker has taken and neither Kafka nor the log's old part has handed out, by its id."""
        ids = await self._gaps(amendments, since)
        if not ids:
            return 0
        await self._forget_positions()
        applied = 0
        for topic in self._topics():
            if not has_log(topic, self._subject.logs):
                continue
            mark = [(REPLAY_RUN, self._run_id.encode())]
            rows = LogRows(self._subject.logs, topic, ids, mark)
            async with engine_of() as engine:
                source = Amended(rows, amendments)
                await engine.run(source, {Place(topic, 0): 0}, tell=self._told(0))
                applied += engine.totals.applied
        await self._forget_positions()
        # what the worker has taken meanwhile was not asked for
        if lost := sorted(set(ids).intersection(await self._gaps(amendments, since))):
            raise ReplayError(
                f"{len(lost)} messages that {self._subject.name} has taken are neither in Kafka nor in an event log, "
                f"the first of them {lost[0]}: without them the projection would be another; nothing was changed"
            )
        self._messages += applied
        return applied

    async def _gaps(self, amendments: Amendments, since: UUID) -> list[str]:
        """Return the ids, from one on, that the worker has taken and that were not applied here."""
        query = named(QUERIES["gaps"].decode(), ":live", self._subject.role)
        async with self._shadow.schema.connection() as connection:
            parameters = {"consumer": self._subject.name, "since": since}
            cursor = await connection.execute(query, parameters)
            return [row[0] for row in await cursor.fetchall() if not amendments.leaves_out(row[0])]

    async def _hand_over(
        self, live: Connection, engine_of: EngineOf, amendments: Amendments, since: UUID
    ) -> Rebuilt:
        loop = asyncio.get_running_loop()
        who = {"consumer": self._subject.name}
        async with live.transaction():
            await live.execute(
                "select set_config('lock_timeout', %s, true)", [f"{LOCK_WAIT_S * 1000}ms"]
            )
            positions = by_place(
                await (await live.execute(QUERIES["lock_positions"], who)).fetchall()
            )
            begin = loop.time()
            await live.execute(QUERIES["lock_parked"], who)
            now = await Amendments.read(live, self._subject.name)
            await self._require_unchanged(amendments, now)
            handed_over = await self._advance(engine_of, now, positions)
            handed_over += await self._fill_gaps(live, engine_of, now, since)
            await self._require_handled(now)
            tables = await swap(live, self.tables, made=self._info.name, live=self._subject.role)
        return Rebuilt(self._messages, handed_over, loop.time() - begin, tables)

    async def _require_unchanged(self, before: Amendments, now: Amendments) -> None:
        """Begin anew when messages that were left out have taken effect, or taken ones are still to take it.

        Raises:
            _OvertakenError: that is so.
        """
        settled = before.parked - now.parked
        async with self._shadow.schema.connection() as connection:
            parameters = {"consumer": self._subject.name, "ids": list(now.parked - before.parked)}
            cursor = await connection.execute(QUERIES["taken_and_handled"], parameters)
            applied_here = await cursor.fetchall()
        if settled or applied_here or now.edited != before.edited or now.skipped != before.skipped:
            raise _OvertakenError

    async def _require_handled(self, now: Amendments) -> None:
        """Refuse when handlers fail on what they have handled before.

        Raises:
            ReplayError: they do.
        """
        async with self._shadow.schema.connection() as connection:
            parameters = {"consumer": self._subject.name, "limit": None}
            cursor = await connection.execute(QUERIES["sandbox_parked"], parameters)
            # what has no id, and never had an effect anywhere, does not count
            rows = [row for row in await cursor.fetchall() if row[4] and row[4] not in now.parked]
        if rows:
            topic, partition, offset, *_, error_text = rows[0]
            raise ReplayError(
                f"the handlers fail on {len(rows)} messages that had taken effect, first on "
                f"{topic}/{partition}/{offset} ({error_text}); nothing was changed, mend them and rebuild again"
            )

    async def _apply(
        self, engine_of: EngineOf, plan: Plan, selection: Selection, amendments: Amendments
    ) -> int:
        mark = [(REPLAY_RUN, self._run_id.encode())]
        subject = self._subject
        codec = subject.codec(self._consumer)
        opened = open_source(plan, selection, subject.bootstrap, subject.logs, codec, mark)
        source: Source = Amended(opened, amendments)
        try:
            async with engine_of() as engine:
                await engine.run(source, places_of(plan), tell=self._told(plan.total))
                applied = engine.totals.applied
        finally:
            await asyncio.to_thread(source.close)
        self._messages += applied
        return applied

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[EngineOf]:
        """Work in the shadow: yields what makes an engine for each part of the work."""
        consumer, subject = self._consumer, self._subject
        codec, dead_letters = subject.codec(consumer), subject.dead_letters()
        window = InboxWindow()
        async with (
            self._shadow.working(),
            self._shadow.open_pool(consumer.parallel_partitions + 2) as pool,
        ):
            store = SandboxStore(consumer.name, pool)
            await store.open_inbox(window)

            @asynccontextmanager
            async def engine_of() -> AsyncIterator[Engine]:
                with walled_in(subject.registry_url):
                    yield Engine(consumer, store, codec, dead_letters, window)

            yield engine_of

    @asynccontextmanager
    async def _live(self) -> AsyncIterator[Connection]:
        """Connect to the live schema as the owner of its tables, in autocommit."""
        url = leading_into(self._subject.owner_url, self._subject.role)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            yield connection

    async def _positions(self, live: Connection) -> Positions:
        cursor = await live.execute(QUERIES["consumer_positions"], {"consumer": self._subject.name})
        return by_place(await cursor.fetchall())

    async def _forget_positions(self) -> None:
        """Have the shadow be nowhere, as sequence numbers of a log are no offsets of a partition."""
        async with self._shadow.schema.connection() as connection:
            await connection.execute(QUERIES["forget_positions"])

    def _left(self, positions: Positions) -> int:
        return sum(positions.get(place, at) - at for place, at in self._done.items())

    def _told(self, total: int) -> Tell:
        self._total += total
        return partial(self._told_of, self._messages)

    def _told_of(self, before: int, moved: Moved) -> None:
        self._tell(before + moved.read, self._total)

    def _topics(self) -> tuple[str, ...]:
        return tuple(self._consumer.topics)

    def _types(self) -> tuple[str, ...]:
        return tuple(self._consumer.table)
