"""Redelivers messages to one live consumer, beside its worker and by the rules that hold for the worker.

Each batch is one transaction, as in a worker: ids are admitted to the inbox, what comes of a key that is held up is put
behind, effects and parked messages commit together. The worker's positions are locked for as long, and not moved: it
applies nothing of the partition meanwhile, so that no message of a key is handled twice at once or past a parked one.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from cdc.database import Connection, Pool, open_pool
from cdc.kafka_record import KafkaRecord
from cdc.sql import load_queries
from consumers.replay.engine import Engine, Tell, Totals
from consumers.replay.plan import open_source
from consumers.replay.sandbox_run import ReplayTarget
from consumers.replay.selection import Selection
from consumers.replay.source import Changed, Plan
from consumers.runtime.delivery import REPLAY_RUN
from consumers.runtime.intake import id_text
from consumers.runtime.outside import RealOutside
from consumers.runtime.parked.acting import Audit
from consumers.runtime.postgres import PostgresStore
from consumers.runtime.store import BatchClaim, ClaimResult, Place
from consumers.runtime.window import InboxWindow

QUERIES = load_queries(__package__)
MOST_AT_ONCE = 200
"""Messages in one transaction: for so long the worker waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivery:
    """What was asked for."""

    run_id: str
    by: Audit
    forced: bool


@dataclass(frozen=True, slots=True)
class Redelivered:
    """What came of it."""

    records: int
    totals: Totals
    too_old: int  # messages left out, for the inbox does not remember whether they were taken


class LiveStore(PostgresStore):
    """The store of a live consumer, in which a replay takes messages without being anywhere.

    Args:
        all_partitions: Where messages lay in Kafka is not known: the worker waits with all partitions of the topic.
    """

    def __init__(
        self,
        consumer: str,
        pool: Pool,
        redelivery: Redelivery,
        window: InboxWindow,
        *,
        all_partitions: bool,
    ) -> None:
        super().__init__(consumer, pool)
        self._name = consumer
        self._redelivery = redelivery
        self._window = window
        self._all_partitions = all_partitions

    async def begin(self, place: Place, offset: int, topic_id: str | None = None) -> int:
        """Begin anywhere: the consumer's own position is none of a replay's business."""
        return offset

    async def take(
        self, transaction: Connection, claims: Sequence[BatchClaim]
    ) -> list[ClaimResult]:
        """Note ids as taken, and keep the worker from the partitions; no position is moved."""
        return [await self._hold(transaction, claim) for claim in claims]

    async def _hold(self, transaction: Connection, claim: BatchClaim) -> ClaimResult:
        ids = list(dict.fromkeys(claim.message_ids))
        topic = claim.place.topic
        new: Collection[str]
        if self._redelivery.forced:
            new = await self._ids(
                transaction,
                "admit_by_force",
                {"run_id": self._redelivery.run_id, "topic": topic, "ids": ids},
            )
            await self._admit(transaction, [i for i in ids if self._is_kept(i)])
        else:
            new = await self._admit(transaction, ids)
        who = {"consumer": self._name, "topic": topic}
        partition = None if self._all_partitions else claim.place.partition
        await transaction.execute(QUERIES["hold_positions"], who | {"partition": partition})
        cursor = await transaction.execute(QUERIES["some_parked"], who)
        [[some_parked]] = await cursor.fetchall()
        return ClaimResult(set(new), some_parked)

    async def _admit(self, transaction: Connection, ids: list[str]) -> list[str]:
        return await self._ids(transaction, "admit", {"consumer": self._name, "ids": ids})

    @staticmethod
    async def _ids(
        transaction: Connection, query: str, parameters: Mapping[str, object]
    ) -> list[str]:
        cursor = await transaction.execute(QUERIES[query], parameters)
        return [row[0] for row in await cursor.fetchall()]

    def _is_kept(self, message_id: str) -> bool:
        return self._window.remembers(message_id) and self._window.begins_before(message_id)


class Remembered:
    """Leaves out the messages that are older than an inbox remembers, and what has no id that it could.

    Attributes:
        too_old: Messages left out.
    """

    def __init__(self, window: InboxWindow) -> None:
        self._window = window
        self.too_old = 0

    def of(self, record: KafkaRecord) -> KafkaRecord | None:
        message_id = id_text(dict(record.headers).get("ce_id") or b"") or ""
        if self._window.remembers(message_id):
            return record
        self.too_old += 1
        return None


async def redeliver(  # noqa: PLR0913 - all that decides what happens to whom
    subject: ReplayTarget,
    selection: Selection,
    plan: Plan,
    redelivery: Redelivery,
    *,
    places: dict[Place, int],
    tell: Tell,
    rate: float | None,
    positions: dict[Place, int],
) -> Redelivered:
    """Hand messages to a live consumer.

    Args:
        positions: Is told where each range goes on, also when it is interrupted.
    """
    consumer = subject.build(subject.url, RealOutside())
    codec = subject.codec(consumer)
    window = InboxWindow()
    mark = [(REPLAY_RUN, redelivery.run_id.encode())]
    opened = open_source(plan, selection, subject.bootstrap, subject.logs, codec, mark)
    async with open_pool(
        subject.url, max_size=consumer.parallel_partitions + 2, check=False
    ) as pool:
        store = LiveStore(
            consumer.name, pool, redelivery, window, all_partitions=plan.kind == "log"
        )
        await store.maintain(window)
        await _begin(pool, redelivery, subject.name, selection)
        if redelivery.forced:
            window = InboxWindow()
        remembered = Remembered(window)
        source = Changed(opened, remembered.of)
        engine = Engine(
            consumer,
            store,
            codec,
            subject.outbox(consumer),
            window,
            max_batch=min(MOST_AT_ONCE, consumer.max_batch),
        )
        try:
            records = await engine.run(source, places, tell=tell, rate=rate)
        finally:
            positions.update(engine.totals.positions)
            await _end(pool, redelivery, engine.totals)
            await asyncio.to_thread(source.close)
    return Redelivered(records, engine.totals, remembered.too_old)


async def _begin(pool: Pool, redelivery: Redelivery, consumer: str, selection: Selection) -> None:
    async with pool.connection() as connection:
        await connection.execute(
            QUERIES["begin_run"],
            {
                "run_id": redelivery.run_id,
                "consumer": consumer,
                "actor": redelivery.by.actor,
                "why": redelivery.by.why,
                "forced": redelivery.forced,
                "selection": Jsonb(selection.as_json()),
            },
        )


async def _end(pool: Pool, redelivery: Redelivery, totals: Totals) -> None:
    counts = {
        "applied": totals.applied,
        "duplicates": totals.duplicates,
        "parked": totals.parked,
    }
    async with pool.connection() as connection:
        await connection.execute(QUERIES["end_run"], {"run_id": redelivery.run_id} | counts)
