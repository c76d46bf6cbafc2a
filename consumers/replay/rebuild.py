"""Builds the projections of a consumer anew from all messages, beside the live ones and while its worker goes on.

What the worker has taken is told by its positions: everything before them, and nothing else. Messages that Kafka has
deleted come from the event log, the others from Kafka, up to the live positions. When little is left, the positions are
locked, so that the worker waits; the rest is applied, the live rows become the new ones, and all of it commits at once.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cdc.database import Connection, connect_async
from cdc.ids import first_id_at
from cdc.kafka import Bounds
from cdc.sql import load_queries
from consumers.replay.bounds import Bound
from consumers.replay.errors import ReplayError
from consumers.replay.history import bounds_in_kafka, by_place, oldest_in_kafka
from consumers.replay.log_source import has_log, plan_log
from consumers.replay.manual_edits import ManualEdits
from consumers.replay.rebuild_schema import Positions, RebuildSchema, TellOf, rebuild_schema_there
from consumers.replay.sandbox import SandboxInfo
from consumers.replay.sandbox_run import ReplayTarget
from consumers.replay.selection import Selection
from consumers.replay.swap import Swapped, swap
from consumers.runtime.consumer import Consumer
from consumers.runtime.store import Place
from consumers.runtime.throwaway import leading_into

QUERIES = load_queries(__package__)
FEW = 500
"""So many messages may be left when the worker is made to wait."""
MOST_ROUNDS = 50
MOST_BUILDS = 3
LOCK_WAIT_S = 15
"""How long the hand-over waits for the transactions that the worker has under way."""
RECENT = timedelta(hours=1)
SINCE_EVER = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild came to."""

    messages: int
    handed_over: int
    waited_s: float  # how long it waited, in seconds
    tables: list[Swapped]


class _OvertakenError(Exception):
    """Parked messages have taken effect, or were parked anew, so that what was built does not fit any more."""


class Rebuild:
    """One rebuild.

    Raises:
        ReplayError: the consumer declares no projection.
    """

    def __init__(self, subject: ReplayTarget, run_id: str, tell: TellOf) -> None:
        self._subject = subject
        self._tell = tell
        self._info = SandboxInfo.new(run_id, subject.name, subject.role)
        self._sandbox = subject.sandbox(self._info)
        self._consumer: Consumer = subject.build_for(self._sandbox.schema)
        self.tables = [name for name, each in self._consumer.tables.items() if each.is_projection]
        if not self.tables:
            raise ReplayError(
                f"{subject.name} declares no table as a projection (is_projection in its bootstrap): what else made "
                "them cannot be made again from messages"
            )

    async def run(self) -> Rebuilt:
        """Build and hand over; the live projections are as before when this raises.

        Raises:
            ReplayError: the worker is too far behind, or a handler fails.
        """
        for _ in range(MOST_BUILDS):
            try:
                return await self._build()
            except _OvertakenError:
                continue
        raise ReplayError(
            f"parked messages of {self._subject.name} were tried again during each of {MOST_BUILDS} builds; nothing "
            "was changed, try again when `tailrace parked list` shows that they are settled"
        )

    async def _build(self) -> Rebuilt:
        started_at = datetime.now(UTC)
        async with self._live() as live:
            amendments = await ManualEdits.read(live, self._subject.name)
            async with rebuild_schema_there(
                self._subject, self._consumer, self._sandbox, amendments, self._tell
            ) as shadow:
                shadow.begin_at(await self._from_log(live, shadow, started_at))
                await self._catch_up(live, shadow)
                await shadow.fill_gaps(SINCE_EVER)
                return await self._hand_over(live, shadow, since=first_id_at(started_at - RECENT))

    async def _from_log(self, live: Connection, shadow: RebuildSchema, now: datetime) -> Positions:
        """Apply what Kafka has no more; return where the rest begins."""
        topics = self._consumer.topics
        bounds = await asyncio.to_thread(bounds_in_kafka, self._subject.bootstrap, topics)
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
            types = tuple(self._consumer.table)
            selection = Selection(topics=(topic,), end=Bound(time=cut), types=types)
            plan = await asyncio.to_thread(plan_log, self._subject.logs, selection, now, "")
            await shadow.apply(plan, selection)
        await shadow.forget_positions()
        return {place: each.begin for place, each in bounds.items()}

    async def _require_taken(self, live: Connection, bounds: Mapping[Place, Bounds]) -> None:
        """Refuse when the worker has not even taken what Kafka has deleted."""
        positions = await self._positions(live)
        for place, each in bounds.items():
            if positions.get(place, 0) < each.begin:
                raise ReplayError(
                    f"{self._subject.name} is at {positions.get(place, 0)} of {place.topic}/{place.partition}, and "
                    f"Kafka begins at {each.begin}: start its worker, and rebuild when `tailrace lag` shows that it "
                    "goes on"
                )

    async def _catch_up(self, live: Connection, shadow: RebuildSchema) -> None:
        """Apply what Kafka has, up to where the worker stands, until little is left."""
        for _ in range(MOST_ROUNDS):
            await shadow.advance(await self._positions(live))
            if shadow.left(await self._positions(live)) <= FEW:
                return
        raise ReplayError(
            f"{self._subject.name} takes messages faster than they can be applied here; try again when less comes in"
        )

    async def _hand_over(self, live: Connection, shadow: RebuildSchema, *, since: UUID) -> Rebuilt:
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
            await live.execute(QUERIES["lock_stash"], who)
            now = await ManualEdits.read(live, self._subject.name)
            await _require_unchanged(shadow, now)
            shadow.amendments = now
            handed_over = await shadow.advance(positions)
            handed_over += await shadow.fill_gaps(since)
            await _require_handled(shadow)
            tables = await swap(live, self.tables, made=self._info.name, live=self._subject.role)
        return Rebuilt(shadow.messages, handed_over, loop.time() - begin, tables)

    @asynccontextmanager
    async def _live(self) -> AsyncIterator[Connection]:
        url = leading_into(self._subject.owner_url, self._subject.role)
        async with await connect_async(url, autocommit=True) as connection:
            yield connection

    async def _positions(self, live: Connection) -> Positions:
        cursor = await live.execute(QUERIES["consumer_positions"], {"consumer": self._subject.name})
        return by_place(await cursor.fetchall())


async def _require_unchanged(shadow: RebuildSchema, now: ManualEdits) -> None:
    """Begin anew when messages that were left out have taken effect, or taken ones are still to take it."""
    before = shadow.amendments
    settled = before.waiting - now.waiting
    applied_here = await shadow.taken_of(list(now.waiting - before.waiting))
    if settled or applied_here or now.edited != before.edited or now.skipped != before.skipped:
        raise _OvertakenError


async def _require_handled(shadow: RebuildSchema) -> None:
    # what has no id, and never had an effect anywhere, does not count
    known = shadow.amendments.waiting
    rows = [row for row in await shadow.parked() if row[4] and row[4] not in known]
    if rows:
        topic, partition, offset, *_, error_text = rows[0]
        raise ReplayError(
            f"the handlers fail on {len(rows)} messages that had taken effect, first on "
            f"{topic}/{partition}/{offset} ({error_text}); nothing was changed, mend them and rebuild again"
        )
