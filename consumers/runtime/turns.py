"""Whose turn it is to write: what comes in while a transaction is under way shares the next one (group commit).

A transaction costs much the same for one message as for twenty. A chunk that finds nothing under way is applied at
once; the busier a worker is, the more partitions share a transaction, and nothing waits for the sake of it.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from cdc.logs import FieldLogger
from consumers.runtime.processor import Applied, Chunk, NotTogetherError, Processor

MOST_OF_A_PARTITION = 64
"""A chunk with more messages gains little from sharing a transaction."""
MOST_TOGETHER = 256
"""Most messages in a shared transaction, but for those of the chunk that begins it."""
LONGEST_WAIT_S = 0.02
"""After this a chunk goes beside the transaction under way, if the consumer allows several at once."""
WEIGHT = 0.1
"""Of the newest chunk, in how long one takes."""
FIRST_APART_S, LONGEST_APART_S = 2.0, 60.0
"""How long each chunk is applied by itself after a shared transaction took too long: no handler waits for another.

It is twice as long each time, until one has not taken too long: a machine that has too much to do needs transactions to
be shared, and one that was slow for a moment should not go without for a minute.
"""

log = FieldLogger(__name__)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A chunk whose turn has not come."""

    chunk: Chunk
    outcome: "asyncio.Future[Applied | None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """What came of it, applied with another's chunk; None when it is to be applied by itself."""


class Turns:
    """Applies chunks, those of several partitions in one transaction where that saves something.

    Args:
        processor: Applies them.
        parallel: Most transactions at once.
        shares: Whether partitions may share a transaction.

    Attributes:
        took_s: How long a chunk took of late, in seconds, with the wait for its turn.
    """

    def __init__(self, processor: Processor, parallel: int, *, shares: bool = True) -> None:
        self.took_s = 0.0
        self._processor = processor
        self._shares = shares
        self._parallel = asyncio.Semaphore(parallel)
        self._shared = asyncio.Lock()
        self._waiting: list[_Waiting] = []
        self._apart_until = 0.0
        self._apart_s = FIRST_APART_S

    async def apply(
        self, chunk: Chunk, *, patient: bool = True, has_failed: bool = False
    ) -> Applied:
        """Apply a chunk as `Processor.apply` does, and raise as that does.

        Args:
            chunk: One of each partition at a time.
            patient: See there.
            has_failed: It could not be applied before, and would only hold others up.
        """
        begin = time.monotonic()
        try:
            return await self._apply(chunk, patient=patient, has_failed=has_failed)
        finally:
            self.took_s += WEIGHT * (time.monotonic() - begin - self.took_s)

    async def _apply(self, chunk: Chunk, *, patient: bool, has_failed: bool) -> Applied:
        shares = self._shares and patient and not has_failed
        shares = shares and len(chunk.batch) <= MOST_OF_A_PARTITION
        is_apart = self._processor.is_careful or time.monotonic() < self._apart_until
        if not shares or is_apart:
            return await self._alone(chunk, patient=patient)
        mine = _Waiting(chunk)
        self._waiting.append(mine)
        try:
            async with self._turn():
                if (applied := await self._lead(mine)) is not None:
                    return applied
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)
        # somebody has taken it along
        return await mine.outcome or await self._alone(chunk)

    async def _alone(self, chunk: Chunk, *, patient: bool = True) -> Applied:
        async with self._parallel:
            return await self._processor.apply(chunk, patient=patient)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for the transaction under way, though not for one that takes its time."""
        is_ours = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT_S):
                is_ours = await self._shared.acquire()
        try:
            yield
        finally:
            if is_ours:
                self._shared.release()

    async def _lead(self, mine: _Waiting) -> Applied | None:
        """Apply a chunk and what else waits, unless somebody has taken it along."""
        if mine not in self._waiting:
            return None
        async with self._parallel:
            await asyncio.sleep(0)  # what came with the same fetch is about to wait too
            if mine not in self._waiting:
                return None
            others = self._take_along(mine)
            applied = await self._together(mine, others) if others else None
            return applied or await self._processor.apply(mine.chunk)

    def _take_along(self, mine: _Waiting) -> list[_Waiting]:
        self._waiting.remove(mine)
        others: list[_Waiting] = []
        messages = 0
        for each in self._waiting:
            messages += len(each.chunk.batch)
            if messages > MOST_TOGETHER:
                break
            others.append(each)
        del self._waiting[: len(others)]
        return others

    async def _together(self, mine: _Waiting, others: list[_Waiting]) -> Applied | None:
        """Apply chunks in one transaction; None when each has to be applied by itself."""
        # two workers that claim the same partitions for a moment wait for each other in one order
        members = sorted([mine, *others], key=lambda each: each.chunk.place)
        outcomes: dict[_Waiting, Applied] = {}
        try:
            applied = await self._processor.apply_together([each.chunk for each in members])
            outcomes = dict(zip(members, applied, strict=True))
            self._apart_s = FIRST_APART_S
        except NotTogetherError as error:
            log.info("transaction taken apart", partitions=len(members), because=error)
            if error.is_slow:
                self._apart_until = time.monotonic() + self._apart_s
                self._apart_s = min(2 * self._apart_s, LONGEST_APART_S)
        finally:
            for each in others:
                if not each.outcome.done():
                    each.outcome.set_result(outcomes.get(each))
        return outcomes.get(mine)
