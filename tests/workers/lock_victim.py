"""A worker that is killed in the midst of a handler: `python -m tests.workers.lock_victim <plan> <database url>`."""

import asyncio
import os
import pickle
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from cdc.database import Connection, Pool, open_pool
from cdc.outbox import Outbox
from consumers.runtime.consumer import Consumer
from consumers.runtime.postgres import PostgresStore
from consumers.runtime.window import InboxWindow
from consumers.testing.records import NewRecord
from consumers.testing.schemas import codec_of_all
from schemas.message import Message
from tests.rig import PLACE, Rig, World
from tests.runtime_contract.locking import locking


@dataclass(frozen=True, slots=True)
class Plan:
    """What the victim works through, message by message; it is killed in a handler, or in none if that is empty."""

    records: Sequence[NewRecord]
    labels: dict[UUID, str]
    dies_in: str


@dataclass(frozen=True, slots=True)
class Inside:
    """A schema that somebody else has made, as far as a worker needs it."""

    pool: Pool

    async def open(self, consumer: Consumer) -> tuple[PostgresStore, InboxWindow]:
        return PostgresStore(consumer.name, self.pool), InboxWindow()

    def outbox(self, _: Iterable[type[Message]] | None = None) -> Outbox:
        return Outbox(codec_of_all())


async def work(plan: Plan, url: str) -> None:
    async def write(transaction: Connection, message_id: UUID) -> None:
        await transaction.execute("insert into effect (message_id) values (%s)", [message_id])
        if plan.labels[message_id] == plan.dies_in:
            os.kill(os.getpid(), signal.SIGKILL)

    async def written() -> Sequence[UUID]:
        return []

    async with open_pool(url) as pool:
        database: Any = Inside(pool)
        rig = await Rig(World(database, write, written)).start()
        rig._labels = plan.labels
        await locking(rig)
        rig.publish(plan.records)
        await rig.worker.work_on_stash()
        while await rig.worker.step(rig.log, PLACE, 1):
            await rig.worker.work_on_stash()


if __name__ == "__main__":
    asyncio.run(work(pickle.loads(Path(sys.argv[1]).read_bytes()), sys.argv[2]))  # noqa: S301 - its test wrote it
