"""The partitions that a worker holds, each worked through on a lane of its own.

While the database works on one batch the next is decoded, and other partitions go on. A lane takes in only so much:
when it is full nothing more is fetched for it, and when it is asked to stop it finishes the transaction under way.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from cdc.chores import cancel
from cdc.due import RetryPolicy
from cdc.logs import FieldLogger
from consumers.runtime.delivery import Record
from consumers.runtime.failures import is_transient, waits_without_end
from consumers.runtime.intake import Intake
from consumers.runtime.processor import Applied, Chunk, TooSlowError
from consumers.runtime.received import Received
from consumers.runtime.store import FenceLostError, Place
from consumers.runtime.turns import Turns

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0

TRANSACTION_S = 1.0
"""How long a transaction should take: batches of slow handlers are cut so that it does not take much longer."""
FIRST_CHUNK = 16
"""Messages in the first transaction of a lane, before it is known how long they take."""
MOST_BYTES = 2**20
"""Bytes of records that are decoded at a time: the objects that come of them take ten times as much memory."""

T = TypeVar("T")

log = FieldLogger(__name__)


def _nobody_asks() -> None:
    """There is nobody to acknowledge a batch to."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A batch of records as fetched.

    Args:
        records: Records of one partition in their order, at least one.
        done: Called when every message of it has taken effect, was taken before, or is parked.
    """

    records: Sequence[Record]
    done: Callable[[], None] = _nobody_asks

    def parts(self) -> Iterator["Fetched"]:
        """Yield it in parts of at most `MOST_BYTES`, or of one record; it is done when the last of them is."""
        start = size = 0
        for number, record in enumerate(self.records):
            length = len(record.value or b"")
            if size + length > MOST_BYTES and number > start:
                yield Fetched(self.records[start:number])
                start, size = number, 0
            size += length
        yield Fetched(self.records[start:], self.done) if start else self


Seek = Callable[[Place, int], Awaitable[None]]
"""Makes the fetcher go on from an offset."""


@dataclass(slots=True)
class Progress:
    """How far a lane has come, for whoever watches over the worker; read from other threads.

    Attributes:
        position: Offset to go on from.
        moved_at: When the position last moved, on the monotonic clock.
        tried_at: When a message was last tried, on the monotonic clock.
        is_queued: Whether it waits for its turn to be tried.
        oldest_ms: When the first record that is not done yet was made, in milliseconds since 1970; None when the lane
            has nothing to do.
        waiting_for: What keeps it from going on, empty when nothing does.
        applied: Messages that came for the first time.
        duplicates: Messages that had been taken before.
        parked: Messages that were put aside.
    """

    position: int
    moved_at: float = field(default_factory=time.monotonic)
    tried_at: float = field(default_factory=time.monotonic)
    is_queued: bool = False
    oldest_ms: int | None = None
    waiting_for: str = ""
    applied: int = 0
    duplicates: int = 0
    parked: int = 0


class Lane:
    """Works through one partition.

    Args:
        place: The partition.
        position: Where to begin.
        tools: What all lanes of a worker share.
    """

    def __init__(self, place: Place, position: int, tools: "LaneServices") -> None:
        self.place = place
        self.progress = Progress(position)
        self._tools = tools
        self._fetched: deque[Fetched] = deque()
        self._something = asyncio.Event()
        self._ahead: asyncio.Task[list[Received[Any]] | None] | None = None
        self._passed: int | None = None
        """The position, where it is behind records that nobody handles; it moves with the next chunk."""
        self._settled_at = 0.0
        """When it moves without one, on the monotonic clock."""
        self._acknowledge: list[Callable[[], None]] = []
        """What is told of batches when the position is behind them."""
        self._stopping = False
        self._going_back = False
        self._is_working = False
        self._chunk = min(FIRST_CHUNK, tools.max_batch)
        self._working: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._working = asyncio.create_task(self._work())

    @property
    def is_full(self) -> bool:
        """Whether it should be given no more for now: something waits already behind what it works on."""
        return self._stopping or self._going_back or bool(self._fetched)

    @property
    def is_idle(self) -> bool:
        """Whether all that was fetched for it is done."""
        has_work = self._is_working or self._fetched or self._passed is not None
        return not (self._stopping or self._going_back or has_work)

    def add(self, fetched: Fetched) -> None:
        """Take in a batch, unless the lane stops or goes back: then it is fetched again, here or elsewhere."""
        if self._stopping or self._going_back:
            return
        self._fetched.extend(fetched.parts())
        if self.progress.oldest_ms is None:
            self.progress.oldest_ms = fetched.records[0].timestamp
        self._something.set()
        if self._is_working:
            self._look_ahead()

    async def stop(self, timeout_s: float) -> None:
        """Stop, and wait for the transaction under way, which is rolled back when it takes too long.

        Args:
            timeout_s: Longest wait in seconds.
        """
        self._stopping = True
        if self._working is None:
            return
        self._look_no_further()
        if self._is_working:
            await asyncio.wait([self._working], timeout=timeout_s)
        await cancel([self._working])

    def skip_to(self, offset: int) -> None:
        """Move over offsets that hold no record, such as the marks of Kafka's transactions.

        Args:
            offset: Where the fetcher stands with nothing left to hand out.
        """
        if self.is_idle and offset > self.progress.position:
            self._passed, self._settled_at = offset, time.monotonic()
            self._something.set()

    async def _work(self) -> None:
        while not self._stopping:
            await self._until_fetched()
            if not self._fetched:
                continue
            prepared = await (self._ahead or self._prepare(self._fetched[0]))
            self._ahead = None
            if prepared is None:
                return
            fetched = self._fetched.popleft()
            self._is_working = True
            self._look_ahead()
            try:
                await self._work_through(fetched, prepared)
            finally:
                self._is_working = False
                self._note_oldest()

    async def _until_fetched(self) -> None:
        """Wait for a batch, or until it is time to move the position over what nobody handles."""
        if not self._fetched:
            self._something.clear()
        if self._passed is None:
            await self._something.wait()
            return
        # what nobody handles may come again and again, and is no reason to wait any longer
        left_s = self._settled_at - time.monotonic()
        if left_s > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._something.wait()
                return
        await self._settle()

    async def _settle(self) -> None:
        """Move the position over what nobody handles."""
        if self._passed is None:
            return
        self._is_working = True
        try:
            await self._apply([], self._passed)
        finally:
            self._is_working = False
            self._note_oldest()

    async def _prepare(self, fetched: Fetched) -> list[Received[Any]] | None:
        """Decode a batch; None when the lane is to stop."""
        return await self._until_it_works(partial(self._tools.intake.prepare, fetched.records))

    def _look_ahead(self) -> None:
        """Decode the next batch while the database is at work on this one."""
        if self._ahead is None and self._fetched:
            self._ahead = asyncio.create_task(self._prepare(self._fetched[0]))

    def _look_no_further(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            self._ahead = None

    async def _work_through(self, fetched: Fetched, prepared: list[Received[Any]]) -> None:
        """Apply a batch in as many transactions as its handlers' speed calls for, then acknowledge it."""
        start = 0
        while start < len(prepared):
            if self._stopping:
                return
            chunk = prepared[start : start + self._chunk]
            self.progress.oldest_ms = chunk[0].record.timestamp
            done = len(chunk)
            if self._tools.linger_s and not any(received.concerns_us for received in chunk):
                if self._passed is None:
                    self._settled_at = self._tools.next_round()
                self._passed = chunk[-1].record.offset + 1
            elif not (done := await self._apply(chunk, chunk[-1].record.offset + 1)):
                return
            start += done
        self._acknowledge.append(fetched.done)
        if self._passed is None:
            self._acknowledge_all()

    async def _apply(self, chunk: Sequence[Received[Any]], next_offset: int) -> int:
        """Apply messages in one transaction; return how many are done, 0 when the batch is not ours any more."""
        begin = time.monotonic()
        patient, has_failed, pause_s = True, False, FIRST_PAUSE_S
        while not self._stopping:
            try:
                applied = await self._in_turn(
                    Chunk(self.place, self.progress.position, chunk, next_offset, self._tried),
                    patient=patient,
                    has_failed=has_failed,
                )
            except FenceLostError as error:
                await self._go_back(error)
                return 0
            except TooSlowError as error:
                self._chunk = max(1, error.handled // 10)
                chunk = chunk[: self._chunk]
                next_offset, has_failed = chunk[-1].record.offset + 1, True
                continue
            except Exception as error:
                if not is_transient(error):
                    log.exception("applying failed in the runtime itself", partition=self._where())
                has_failed = True
                if chunk and not waits_without_end(error) and is_transient(error):
                    # what comes before the message that is in trouble takes effect by itself
                    chunk, self._chunk = chunk[:1], 1
                    next_offset = chunk[0].record.offset + 1
                    patient = time.monotonic() - begin < self._tools.retries.patience_s
                await self._pause(error, pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            if chunk:
                self._adapt(len(chunk), applied.seconds)
            self._moved(next_offset)
            self._passed = None
            self._acknowledge_all()
            self.progress.applied += applied.new
            self.progress.duplicates += applied.duplicates
            self.progress.parked += applied.parked
            return len(chunk)
        return 0

    def _adapt(self, messages: int, seconds: float) -> None:
        """Choose the size of the next transaction: twice this one's at most, and as many as its time allows."""
        by_time = int(TRANSACTION_S / max(seconds, 1e-6) * messages)
        grown = 2 * self._chunk if messages >= self._chunk else self._chunk
        self._chunk = max(1, min(grown, by_time, self._tools.max_batch))

    async def _go_back(self, error: FenceLostError) -> None:
        """Somebody else moved the position: begin again where the database says."""
        log.warning("fence lost: reading on from where the database says", because=error)
        self._going_back = True  # nothing more is taken in from here, and
        self._fetched.clear()  # what was taken in so far is not ours any more
        self._passed = None
        self._acknowledge.clear()
        self._look_no_further()
        position = await self._until_it_works(self._seek_position)
        if position is not None:
            self.progress.position = position
            self.progress.oldest_ms = None
            self._going_back = False

    async def _seek_position(self) -> int:
        """Have the fetcher go on from where the database says, and return the offset."""
        position = await self._tools.position(self.place) or 0
        await self._tools.seek(self.place, position)
        return position

    async def _until_it_works(self, attempt: Callable[[], Awaitable[T]]) -> T | None:
        """Repeat something that waits for the database or the registry, None when the lane is to stop."""
        pause_s = FIRST_PAUSE_S
        while not self._stopping:
            try:
                result = await attempt()
            except Exception as error:
                if not is_transient(error):
                    log.exception("work failed in the runtime itself", partition=self._where())
                await self._pause(error, pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                self.progress.waiting_for = ""
                return result
        return None

    async def _pause(self, error: Exception, pause_s: float) -> None:
        self.progress.waiting_for = f"{type(error).__name__}: {error}"
        self.progress.tried_at = time.monotonic()
        log.warning("partition waits", partition=self._where(), for_s=pause_s, error=repr(error))
        await asyncio.sleep(pause_s)

    async def _in_turn(self, chunk: Chunk, *, patient: bool, has_failed: bool) -> Applied:
        self.progress.is_queued = True
        try:
            return await self._tools.turns.apply(chunk, patient=patient, has_failed=has_failed)
        finally:
            self.progress.is_queued = False

    def _tried(self, is_tried: bool) -> None:  # noqa: FBT001 - as it is called
        self.progress.is_queued = not is_tried
        self.progress.tried_at = time.monotonic()

    def _moved(self, position: int) -> None:
        self.progress.position = position
        self.progress.moved_at = time.monotonic()
        self.progress.waiting_for = ""

    def _acknowledge_all(self) -> None:
        for done in self._acknowledge:
            done()
        self._acknowledge.clear()

    def _note_oldest(self) -> None:
        waiting = self._fetched[0].records if self._fetched else None
        self.progress.oldest_ms = waiting[0].timestamp if waiting else None

    def _where(self) -> str:
        return f"{self.place.topic}/{self.place.partition} at {self.progress.position}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneServices:
    """What all lanes of a worker share.

    Args:
        intake: Prepares records.
        turns: Applies batches.
        position: Tells where the database says that a partition is.
        seek: Makes the fetcher go on from an offset.
        retries: How long a partition waits for a party that cannot be reached.
        max_batch: Most messages in one transaction.
        linger_s: How long a position may stay before records that nobody handles, to move with what comes next; 0 for
            not at all.
    """

    intake: Intake
    turns: Turns
    position: Callable[[Place], Awaitable[int | None]]
    seek: Seek
    retries: RetryPolicy
    max_batch: int
    linger_s: float = 0.0

    def next_round(self) -> float:
        """Return when positions that linger are moved next: all lanes at once, in one transaction."""
        return (time.monotonic() // self.linger_s + 1) * self.linger_s


class Lanes:
    """The lanes of a worker.

    Args:
        tools: What all of them share.
    """

    def __init__(self, tools: LaneServices) -> None:
        self._tools = tools
        self._lanes: dict[Place, Lane] = {}

    def open(self, positions: Mapping[Place, int]) -> None:
        """Begin to work on partitions.

        Args:
            positions: Where to begin in each.
        """
        for place, position in positions.items():
            self._lanes[place] = Lane(place, position, self._tools)
            self._lanes[place].start()

    async def close(self, timeout_s: float) -> None:
        """Stop all lanes, each after the transaction under way.

        Args:
            timeout_s: Longest wait in seconds.
        """
        lanes, self._lanes = self._lanes, {}
        await asyncio.gather(*(lane.stop(timeout_s) for lane in lanes.values()))

    def get(self, place: Place) -> Lane | None:
        """Return the lane of a partition, None when the worker does not hold it."""
        return self._lanes.get(place)

    def with_room(self, places: Iterable[Place]) -> dict[Place, Lane]:
        """Return the lanes that can take in more, of these partitions."""
        return {
            place: lane
            for place in places
            if (lane := self._lanes.get(place)) is not None and not lane.is_full
        }

    def progress(self) -> dict[Place, Progress]:
        """Return how far each lane has come; may be called from other threads."""
        return {place: lane.progress for place, lane in list(self._lanes.items())}

    def places(self) -> Collection[Place]:
        """Return the partitions that are worked on."""
        return self._lanes.keys()
