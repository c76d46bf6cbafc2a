"""Runs a consumer's handlers over a source: through the runtime's own intake, lanes and processor, without Faust."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from cdc.outbox import Outbox
from consumers.replay.errors import ReplayError
from consumers.replay.source import Batch, Fetch, Source
from consumers.runtime.consumer import Consumer
from consumers.runtime.intake import Intake
from consumers.runtime.lanes import Fetched, Lane, Lanes, LaneServices
from consumers.runtime.processor import Processor
from consumers.runtime.store import Place, Store
from consumers.runtime.turns import Turns
from consumers.runtime.window import InboxWindow
from schemas.codec import Codec

STOP_S = 10.0
"""How long a transaction under way may take when the replay is interrupted."""
LOOK_AGAIN_S = 0.002
PATIENCE_S = 60.0
"""How long nothing may go on because the database or the registry cannot be reached."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How far a replay has come."""

    read: int
    chosen: int


Tell = Callable[[Moved], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What became of the messages of a replay."""

    positions: Mapping[Place, int] = field(default_factory=dict)
    applied: int = 0
    duplicates: int = 0
    parked: int = 0


class Pace:
    """Keeps to a rate."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._begin = time.monotonic()
        self._given = 0

    def parts(self, batch: Batch) -> list[Batch]:
        """Return a batch in parts that are not larger than what is given in half a second."""
        if self._rate is None:
            return [batch]
        size = max(1, int(self._rate / 2))
        records = batch.records
        return [Batch(batch.place, records[at : at + size]) for at in range(0, len(records), size)]

    def wait_s(self, records: int) -> float:
        """Return how long to wait before so many records are given, in seconds."""
        if self._rate is None:
            return 0.0
        due = self._begin + self._given / self._rate
        self._given += records
        return max(0.0, due - time.monotonic())


class Engine:
    """Applies what a source hands out.

    Attributes:
        totals: What became of the messages, once it has ended.
    """

    def __init__(
        self,
        consumer: Consumer,
        store: Store,
        codec: Codec,
        outbox: Outbox,
        window: InboxWindow,
        *,
        max_batch: int | None = None,
    ) -> None:
        self.totals = Totals()
        self._store = store
        self._lost = ""
        self._chosen = 0
        self._stuck_since: float | None = None
        self._lanes = Lanes(
            LaneServices(
                intake=Intake(consumer, codec, window),
                turns=Turns(Processor(consumer, store, outbox), consumer.parallel_partitions),
                position=store.position,
                seek=self._lose,
                retries=consumer.retries,
                max_batch=max_batch or consumer.max_batch,
            )
        )

    async def run(
        self,
        source: Source,
        places: dict[Place, int],
        *,
        tell: Tell,
        rate: float | None = None,
        before: Callable[[Batch], Awaitable[None]] | None = None,
    ) -> int:
        """Apply all that is left of a source, and return how many records that were.

        Args:
            places: Where each partition begins, unless the store has come further.
            tell: Is told how far it has come, again and again.
            before: Called with each batch before it is applied.

        Raises:
            ReplayError: the source ends too early, somebody else works with the same store, or nothing goes on.
        """
        positions = {place: await self._store.begin(place, at) for place, at in places.items()}
        source.begin(positions)
        self._lanes.open(positions)
        pace = Pace(rate)
        try:
            async with aclosing(fetches(source)) as all_fetches:
                async for fetched in all_fetches:
                    for batch in fetched.batches:
                        if before is not None:
                            await before(batch)
                        for part in pace.parts(batch):
                            await asyncio.sleep(pace.wait_s(len(part.records)))
                            await self._give(part)
                            tell(Moved(fetched.read, self._chosen))
                    tell(Moved(fetched.read, self._chosen))
            await self._until(lambda: all(lane.is_idle for lane in self._open()))
        finally:
            progress = self._lanes.progress()
            await self._lanes.close(STOP_S)
            self.totals = Totals(
                positions={place: each.position for place, each in progress.items()},
                applied=sum(each.applied for each in progress.values()),
                duplicates=sum(each.duplicates for each in progress.values()),
                parked=sum(each.parked for each in progress.values()),
            )
        return self._chosen

    async def _give(self, batch: Batch) -> None:
        lane = self._lanes.get(batch.place)
        if lane is None:
            raise ReplayError(f"{batch.place.topic}/{batch.place.partition} is not in the plan")
        await self._until(lambda: not lane.is_full)
        lane.add(Fetched(batch.records))
        self._chosen += len(batch.records)

    async def _until(self, done: Callable[[], bool]) -> None:
        while not done():
            self._require_moving()
            await asyncio.sleep(LOOK_AGAIN_S)

    def _require_moving(self) -> None:
        if self._lost:
            raise ReplayError(self._lost)
        waiting = [p.waiting_for for p in self._lanes.progress().values() if p.waiting_for]
        if not waiting:
            self._stuck_since = None
            return
        if self._stuck_since is None:
            self._stuck_since = time.monotonic()
        elif time.monotonic() - self._stuck_since > PATIENCE_S:
            raise ReplayError(f"nothing has gone on for {PATIENCE_S:g} s: {waiting[0]}")

    def _open(self) -> list[Lane]:
        lanes = [self._lanes.get(place) for place in self._lanes.places()]
        return [lane for lane in lanes if lane is not None]

    async def _lose(self, place: Place, offset: int) -> None:
        """Stop: whoever has moved the position works with the same store."""
        self._lost = f"somebody else has moved on in {place.topic}/{place.partition}, to {offset}"


async def count(source: Source, places: dict[Place, int], tell: Tell) -> dict[Place, int]:
    """Read a source to its end and return how many records of each partition were chosen."""
    counts = dict.fromkeys(places, 0)
    source.begin(places)
    async with aclosing(fetches(source)) as all_fetches:
        async for fetched in all_fetches:
            for batch in fetched.batches:
                counts[batch.place] += len(batch.records)
            tell(Moved(fetched.read, sum(counts.values())))
    return counts


async def fetches(source: Source) -> AsyncGenerator[Fetch, None]:
    """Yield what a source hands out, each read while the one before is worked on.

    When it is closed early, the thread that is reading has let go of the source.
    """
    fetching = asyncio.create_task(asyncio.to_thread(source.fetch))
    try:
        while (fetched := await asyncio.shield(fetching)) is not None:
            fetching = asyncio.create_task(asyncio.to_thread(source.fetch))
            yield fetched
    finally:
        await asyncio.wait([fetching])
        if not fetching.cancelled():
            fetching.exception()  # nobody asks for it any more
