"""A Faust transport that hands fetched batches to the lanes of their partitions, and no more than these have room for.

Faust spends most of its time per message on the way from the fetched records to an agent. That way is not taken;
membership of the group, the fetching and the commits stay Faust's. Three of its parts are replaced: the reckoning of
what may be committed, which knows single messages and may commit past one that is still being worked on; the seek after
a rebalance, which trusts Kafka's committed offset rather than the database's; and the choice of partitions to fetch
from, which knows no lanes.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Protocol, cast

import aiokafka
from aiokafka.consumer import consumer as client
from aiokafka.consumer import fetcher
from aiokafka.errors import (
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from faust.transport.consumer import RecordMap
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP

from cdc.chores import cancel
from cdc.logs import FieldLogger
from consumers.runtime.fetch_loop import FetchLoop
from consumers.runtime.lanes import Fetched, Lanes
from consumers.runtime.lenient import LenientRecords
from consumers.runtime.store import Place

LOOK_AGAIN_S = 0.01
"""How long a fetch waits for records while a lane is full, so that soon another one includes that lane's partition."""

WAIT_FOR_ALL_MS, WAIT_FOR_SOME_MS = 500, 50
"""How long the broker holds back an answer that would be empty, instead of Faust's 1,500 ms.

aiokafka has one fetch under way to a broker. While it waits for partitions that have nothing new, one with a backlog
that was drained meanwhile is not asked for: a fetch that leaves out a partition is brief, or idle partitions would slow
a busy one down. One that asks for all of them ends with the first record of any, and an idle worker and its broker
spend little on it; who seeks may wait for its end.
"""

PAUSE_S = 1.0

log = FieldLogger(__name__)


class Assignee(Protocol):
    """What the transport asks of the worker."""

    @property
    def lanes(self) -> Lanes:
        """The partitions being worked on."""

    def pause_s(self, count: int) -> float:
        """Return how long to put off the next fetch after one that has brought so many records."""

    async def let_go(self) -> None:
        """Finish the transactions under way and work on nothing more."""

    async def until_compared(self) -> None:
        """Return when the positions were compared with Kafka a moment ago, as they are all the time."""

    async def take_over(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Stop what is being worked on, and return where to begin in each of these partitions."""


class Fetcher(fetcher.Fetcher):  # type: ignore[misc]  # aiokafka carries no types
    """The fetcher of the Kafka client, which waits the longer for records the less it costs anybody."""

    def _get_actions_per_node(self, assignment: object) -> object:
        self._fetch_max_wait_ms = WAIT_FOR_SOME_MS if self._records else WAIT_FOR_ALL_MS
        return super()._get_actions_per_node(assignment)


class Fetching(AIOKafkaConsumerThread):
    """The Kafka client, which here never sees records of aborted transactions, and shares a thread with others."""

    def __init__(self, consumer: "BatchConsumer", **kwargs: Any) -> None:
        self.fetch_loop = FetchLoop.enter(self)
        super().__init__(consumer, thread_loop=self.fetch_loop.loop, Worker=_InFetchLoop, **kwargs)

    async def stop(self) -> None:
        """Stop, and leave the thread."""
        await super().stop()
        self.fetch_loop.leave(self)

    async def serve(self) -> None:
        """Fetch until told to stop."""
        try:
            await self._serve()
        except Exception:
            self.set_shutdown()
            raise

    async def _gather_remaining_tasks(self) -> None:
        """Cancel nothing: what runs on the loop may be somebody else's, and ends with the loop."""

    def _create_worker_consumer(self, transport: Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # an argument of the constructor that Faust does not pass on; the fetcher, made later, takes it from here
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        client.Fetcher = Fetcher
        # a header whose name is no UTF-8 would stop its partition for ever
        fetcher.MemoryRecords = LenientRecords
        return consumer

    def position_of(self, tp: TP) -> int | None:
        """Return where the next fetch of a partition begins; None when it was dealt out anew and was not sought yet."""
        return position_of(self._ensure_consumer(), tp)


class _InFetchLoop:
    """What is a thread of its own to mode, for a client that shares one.

    Args:
        fetching: The client.
    """

    def __init__(self, fetching: Fetching) -> None:
        self._fetching = fetching
        self._serving: list[Future[None]] = []

    def start(self) -> None:
        self._serving.append(self._fetching.fetch_loop.run(self._fetching.serve()))

    def stop(self) -> None:
        wait(self._serving)


def position_of(consumer: aiokafka.AIOKafkaConsumer, tp: TP) -> int | None:
    """Return what `position` of the client does, without waiting until there is a position.

    The thread of the client has two who do what it is asked for, one thing after the other. Who waits there for a
    position keeps the seek from being done that would end the waiting; two of them stop the worker.
    """
    subscription = consumer._subscription.subscription  # noqa: SLF001 - nothing public tells without waiting
    assignment = subscription and subscription.assignment
    if not assignment or tp not in assignment.tps:
        return None
    state = assignment.state_value(tp)
    return int(state.position) if state and state.has_valid_position else None


class BatchConsumer(Consumer):
    """Consumes batches; each is acknowledged whole, and those of a partition in their order."""

    def __init__(self, transport: "BatchTransport", *args: Any, **kwargs: Any) -> None:
        super().__init__(transport, *args, **kwargs)
        self._assignee = transport.assignee
        self._fetching = asyncio.Lock()
        self._taking_over: asyncio.Task[None] | None = None
        self._tried_at = 0.0

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return Fetching(self, loop=self.loop, beacon=self.beacon)

    @property
    def is_taking_over(self) -> bool:
        """Whether partitions are assigned that are not worked on yet."""
        return self._taking_over is not None and not self._taking_over.done()

    def is_trying_to_take_over(self, limit_s: float) -> bool:
        """Return whether that is tried again and again: an attempt fails sooner than it takes so long."""
        return self.is_taking_over and time.monotonic() - self._tried_at < limit_s

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Have all partitions sought to the positions that the database holds; Kafka's own are advisory.

        That may take as long as the database is away, and Faust never rebalances again once this has taken longer than
        a request may: so it is done beside, and nothing is fetched before.
        """
        await self._give_up_taking_over()
        self._taking_over = asyncio.create_task(self._take_over())
        return {}

    def take_over_again(self) -> None:
        """Begin anew in all partitions, as Kafka does not have any more what lies at a position."""
        if not self.is_taking_over and not self.app.rebalancing:
            self._taking_over = asyncio.create_task(self._take_over())

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek, but not while a fetch is under way, which would take records from the new place for the lane before."""
        async with self._fetching:
            await super().seek_wait(partitions)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let go of all partitions: after a rebalance they are dealt out anew."""
        await super().on_partitions_revoked(revoked)
        await self._give_up_taking_over()
        await self._assignee.let_go()

    async def on_stop(self) -> None:
        """Take over nothing more."""
        await self._give_up_taking_over()
        await super().on_stop()

    async def _take_over(self) -> None:
        told = ""
        while not self.app.should_stop:
            self._tried_at = time.monotonic()
            try:
                positions = await self._assignee.take_over([Place(*tp) for tp in self.assignment()])
                await self.seek_wait({TP(*place): offset for place, offset in positions.items()})
            except Exception as error:  # noqa: BLE001 - whatever it is, without this nothing goes on
                if repr(error) != told:
                    log.warning("partitions cannot be taken over yet", error=repr(error))
                told = repr(error)
                await asyncio.sleep(PAUSE_S)
            else:
                self._assignee.lanes.open(positions)
                return

    async def _give_up_taking_over(self) -> None:
        if self._taking_over is not None:
            await cancel([self._taking_over])

    async def skip_gaps(self) -> None:
        """Move lanes that have nothing to do over offsets that hold no record, so that their lag ends with their work.

        Such offsets are the marks of Kafka's transactions, records of aborted ones, and what compaction took away.
        """
        lanes = self._assignee.lanes
        for place in list(lanes.places()):
            lane = lanes.get(place)
            if lane is None or not lane.is_idle:
                continue  # who has something to do is not held up by the lock
            async with self._fetching:  # what is handed out meanwhile lies before the answer
                position = cast(Fetching, self._thread).position_of(TP(*place))
                if position and lanes.get(place) is lane:
                    lane.skip_to(position)

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 - Faust calls it by this name
    ) -> RecordMap:
        lanes = self._assignee.lanes
        active = {Place(*tp) for tp in active_partitions or ()}
        room = lanes.with_room(active)
        if not room:
            await asyncio.sleep(LOOK_AGAIN_S)
            return {}
        async with self._fetching:
            try:
                records = await super()._getmany(
                    {TP(*place) for place in room},
                    timeout if len(room) == len(active) else LOOK_AGAIN_S,
                )
            except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
                # said again at the next fetch: what was fetched before of the partition is finished first
                await asyncio.sleep(LOOK_AGAIN_S)
                if all(room[place].is_idle for place in _places_of(error) & room.keys()):
                    self.take_over_again()
                return {}
            if records:
                # after a freeze they may come from a topic that was made anew, whose lanes are closed then
                await self._assignee.until_compared()
            for tp, fetched in records.items():
                done = partial(self._acknowledge, tp, fetched[-1].offset)
                room[Place(*tp)].add(Fetched(fetched, done))
        if pause_s := self._assignee.pause_s(sum(map(len, records.values()))):
            await asyncio.sleep(pause_s)
        return {}

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Whether a partition comes on is for the watchdog to say: Faust looks at the way that is not taken."""

    def _acknowledge(self, tp: TP, offset: int) -> None:
        """Have the offset after this one committed, soon."""
        self._acked[tp].append(offset)

    def _new_offset(self, tp: TP) -> int | None:
        """Return the offset after the newest acknowledged batch."""
        acked = self._acked[tp]
        if not acked:
            return None
        newest = max(acked)
        acked.clear()
        return int(newest) + 1


def _places_of(error: KafkaError) -> set[Place]:
    """Return the partitions that an error of the fetcher is about."""
    [about] = error.args
    return {Place(*tp) for tp in (about if isinstance(about, dict) else [about])}


class BatchTransport(Transport):
    """The aiokafka transport with batches.

    Args:
        assignee: Whose lanes take them.
        settings: What Faust gives a transport.
    """

    Consumer = BatchConsumer

    def __init__(self, assignee: Assignee, *settings: Any) -> None:
        super().__init__(*settings)
        self.assignee = assignee
