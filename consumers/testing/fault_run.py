"""One passage of messages through a consumer, from the first record to the last effect."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from consumers.runtime.consumer import Consumer
from consumers.runtime.middleware import CallNext
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work
from consumers.testing.database import Database
from consumers.testing.fault_plan import FaultPlan, ProcessDied, breaking
from consumers.testing.log import Log
from consumers.testing.records import NewRecord
from consumers.testing.worker import Worker

PARTITIONS = 3
FIRST_PARTITION = 1
"""History lies before it."""


class FaultRun:
    """What a fault has at hand.

    Attributes:
        log: Where the records lie; a fault may put another one in place before it publishes.
        happened: How often the fault came about.
        poison: Reasons for which records that the fault made up must be parked, by their keys.
    """

    def __init__(
        self,
        consumer: Consumer,
        database: Database[Any],
        records: Sequence[NewRecord],
        rng: random.Random,
    ) -> None:
        self.consumer = consumer
        self.database = database
        self.records = records
        self.rng = rng
        self.log = Log(first=FIRST_PARTITION)
        self.happened = 0
        self.poison: dict[str, str] = {}

    def publish(self, records: Iterable[NewRecord]) -> None:
        for record in records:
            self.log.append(record)

    def deal_out_anew(self) -> None:
        """Let keys share partitions in a way that chance decides; several keys never all share one."""
        keyed = [record for record in self.records if record.key is not None]
        are_several = len({record.key for record in keyed}) > 1
        while True:
            self.log = Log(PARTITIONS, first=FIRST_PARTITION, salt=self.rng.randbytes(4))
            if not are_several or len({self.log.place_of(record) for record in keyed}) > 1:
                return

    def interleaved(self) -> list[NewRecord]:
        """Return the records in another order, those of a key in theirs; if there is another key, it comes first."""
        queues: defaultdict[object, list[NewRecord]] = defaultdict(list)
        for number, record in enumerate(self.records):
            queues[number if record.key is None else record.key].append(record)
        turns = [key for key, queue in queues.items() for _ in queue]
        before = turns[:1]
        self.rng.shuffle(turns)
        others = [number for number, key in enumerate(turns) if [key] != before]
        if others and turns[:1] == before:
            other = self.rng.choice(others)
            turns[0], turns[other] = turns[other], turns[0]
        return [queues[key].pop(0) for key in turns]

    async def worker(self, breaks: FaultPlan | None = None) -> Worker:
        """Start a worker.

        Args:
            breaks: When its store breaks, and when a handler fails after it has written its effect; never when none is
                given.
        """
        breaks = breaks or FaultPlan(self.rng)
        store, window = await self.database.open(self.consumer)
        return Worker(
            _with_breaking_handlers(self.consumer, breaks),
            breaking(store, breaks, self.rng),
            self.database.outbox(self.consumer.outgoing),
            window,
        )

    async def work(self, breaks: FaultPlan | None = None) -> None:
        """Have a worker do all there is to do, in batches that chance cuts; another one goes on when it dies."""
        while True:
            try:
                worker = await self.worker(breaks)
                await worker.catch_up(self.log, self.rng)
                await worker.settle(self.database)
            except ProcessDied:
                continue
            return


def _with_breaking_handlers(consumer: Consumer, breaks: FaultPlan) -> Consumer:
    async def break_afterwards(
        received: Sequence[Received[Any]], _: Work | BulkWork, call_next: CallNext
    ) -> None:
        await call_next()
        for each in received:
            breaks.handled(each.delivery)

    return consumer.with_options(middleware=[*consumer.middleware, break_afterwards])
