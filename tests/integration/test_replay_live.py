"""Redelivering to a live consumer: taken once, in the order of the key, and never beside its worker's own batch."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from cdc.ids import new_id
from consumers.replay.live import LiveStore, Redelivery
from consumers.runtime.parked.acting import Audit
from consumers.runtime.processor import Applied, Chunk, Processor
from consumers.runtime.store import BatchClaim
from consumers.testing.postgres import PostgresDatabase
from consumers.testing.records import NewRecord
from infra.local.probe import wait_until
from schemas.codec import Codec
from schemas.messages.orders import OrderCancelled
from schemas.registry import SchemaStore
from tests.integration.test_runtime_contract import rig_on
from tests.integration.test_runtime_on_postgres import until_somebody_waits
from tests.orders import place, wait_until_decided
from tests.replays import BackgroundReplay, keys, query, replay
from tests.rig import PLACE, Rig
from tests.runtime_contract.case import id_of
from tests.stack import RunningStack

TIMEOUT_S = 30.0
ORDINARY = Redelivery(run_id="test", by=Audit(actor="ada", why="a test"), forced=False)
MINUTE = "select cancelled from orders_per_minute where minute = %s and currency = 'XDR'"


def play(stack: RunningStack, scene: Callable[[Rig, LiveStore], Awaitable[None]]) -> None:
    async def run() -> None:
        async with rig_on(stack) as rig, asyncio.timeout(TIMEOUT_S):
            database = rig.world.database
            assert isinstance(database, PostgresDatabase)
            store = LiveStore(
                rig.consumer.name, database.pool, ORDINARY, rig.window, all_partitions=False
            )
            await scene(rig, store)

    asyncio.run(run())


async def redeliver(rig: Rig, store: LiveStore, *records: NewRecord) -> Applied:
    """Hand records that the log has to the consumer, beside its worker."""
    values = {record.value for record in records}
    stored = [each for each in rig.log.fetch(PLACE, 0, 1000) if each.value in values]
    prepared = await rig.worker.intake.prepare(stored)
    processor = Processor(rig.consumer, store, rig.outbox)
    return await processor.apply(Chunk(PLACE, 0, prepared, 0))


def test_what_was_taken_before_has_no_effect_and_the_position_stays(stack: RunningStack) -> None:
    async def scene(rig: Rig, store: LiveStore) -> None:
        first, second = rig.placed("a1"), rig.placed("b1")
        await rig.deliver([first, second])
        position = await rig.store.position(PLACE)
        applied = await redeliver(rig, store, first, second)
        assert (applied.new, applied.duplicates) == (0, 2)
        assert await rig.effects() == ["a1", "b1"]
        assert await rig.store.position(PLACE) == position

    play(stack, scene)


def test_what_was_not_taken_takes_effect_once_and_the_worker_finds_it_taken(
    stack: RunningStack,
) -> None:
    async def scene(rig: Rig, store: LiveStore) -> None:
        await rig.deliver([rig.placed("a1")])
        new = rig.placed("b1")
        rig.publish([new])
        assert (await redeliver(rig, store, new)).new == 1
        await rig.worker.step(rig.log, PLACE, 10)
        assert await rig.effects() == ["a1", "b1"]
        assert await rig.store.position(PLACE) == 2

    play(stack, scene)


def test_a_message_of_a_key_that_is_held_up_is_put_behind(stack: RunningStack) -> None:
    async def scene(rig: Rig, store: LiveStore) -> None:
        rig.fails["a1"] = lambda: ValueError("broken")
        await rig.deliver([rig.placed("a1")])
        later = rig.placed("a2")
        rig.publish([later])
        applied = await redeliver(rig, store, later)
        assert (applied.new, applied.parked) == (1, 1)
        assert await rig.effects() == []
        assert await rig.parked() == [("a1", "failed"), ("a2", "behind")]

    play(stack, scene)


def test_the_worker_waits_while_messages_of_its_partition_are_redelivered(
    stack: RunningStack,
) -> None:
    async def scene(rig: Rig, store: LiveStore) -> None:
        first, second = rig.placed("a1"), rig.placed("a2")
        await rig.deliver([first])
        rig.publish([second])
        claim = BatchClaim(place=PLACE, base=0, next_offset=0, message_ids=[])
        async with store.transaction() as transaction:
            await store.take(transaction, [claim])
            working = asyncio.create_task(rig.worker.step(rig.log, PLACE, 10))
            await until_somebody_waits(rig)
            assert not working.done()
            assert await rig.effects() == ["a1"]
        await working
        assert await rig.effects() == ["a1", "a2"]

    play(stack, scene)


def test_a_message_that_the_worker_is_taking_just_now_is_waited_for(stack: RunningStack) -> None:
    async def scene(rig: Rig, store: LiveStore) -> None:
        message = rig.placed("a1")
        rig.publish([message])
        await rig.store.begin(PLACE, 0)
        claim = BatchClaim(place=PLACE, base=0, next_offset=1, message_ids=[id_of(message)])
        async with rig.store.transaction() as transaction:
            await rig.store.take(transaction, [claim])
            redelivering = asyncio.create_task(redeliver(rig, store, message))
            await until_somebody_waits(rig)
            assert not redelivering.done()
        applied = await redelivering
        assert (applied.new, applied.duplicates) == (0, 1)

    play(stack, scene)


def old_event(stack: RunningStack, at: datetime) -> UUID:
    """Have an order cancelled long ago, and analytics take that now; return the message's id.

    It is none of the log, in which no order is cancelled that was not placed.
    """
    event_id = UUID(int=(int(at.timestamp() * 1000) << 80) | (new_id().int & ((1 << 80) - 1)))
    order_id = new_id()
    codec = Codec(
        SchemaStore(stack.settings.registry_url, stack.settings.schema_cache), [OrderCancelled]
    )
    event = OrderCancelled(
        order_id=order_id, reason="tired", currency="XDR", total=Decimal(5), cancelled_at=at
    )
    query(
        stack,
        "orders",
        "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type, payload,"
        " correlation_id) values (%s, 'message', 'order.events', 'order', %s, null, %s, %s, %s)",
        *(event_id, str(order_id), OrderCancelled.NAME, codec.encode(event), new_id()),
    )
    wait_until(
        "analytics has not taken the old event",
        lambda: bool(
            query(stack, "analytics", "select 1 from inbox where message_id = %s", event_id)
        ),
        timeout_s=TIMEOUT_S,
    )
    return event_id


def test_an_event_of_ten_days_ago_has_an_effect_in_a_sandbox_and_none_on_live_unless_forced(
    stack: RunningStack,
) -> None:
    at = (datetime.now(UTC) - timedelta(days=10)).replace(second=0, microsecond=0)
    event_id = old_event(stack, at)
    chosen = ["--consumer=analytics", f"--id={event_id}"]
    try:
        told = replay(stack, *chosen, "--live", "--yes")
        assert (told["applied"], told["duplicates"], told["parked"]) == (0, 1, 0)
        assert query(stack, "analytics", MINUTE, at) == [(1,)]

        assert replay(stack, *chosen)["applied"] == 1

        forced = replay(stack, *chosen, "--live", "--force", "--why=a test", "--who=ada", "--yes")
        assert (forced["applied"], forced["duplicates"]) == (1, 0)
        assert query(stack, "analytics", MINUTE, at) == [(2,)]
        assert query(
            stack,
            "analytics",
            "select actor, why, forced, applied, message_id from replay_run"
            " join replay_message using (run_id) where run_id = %s",
            forced["run_id"],
        ) == [("ada", "a test", True, 1, event_id)]
    finally:
        query(
            stack,
            "tailrace_owner",
            "update analytics.orders_per_minute set cancelled = 1 where minute = %s",
            at,
        )


def test_a_forced_replay_that_is_interrupted_goes_on_and_repeats_nothing(
    stack: RunningStack,
) -> None:
    ids = [place(stack)["order_id"] for _ in range(12)]
    wait_until_decided(stack, ids)
    counts = "select sum(placed), sum(confirmed) from orders_per_minute"
    [(placed, confirmed)] = query(stack, "analytics", counts)
    why = f"a test {new_id()}"
    force = ("--live", "--force", f"--why={why}", "--yes", "--rate=4")
    try:
        begun = BackgroundReplay(stack, "--consumer=analytics", *force, *keys(ids))
        wait_until("nothing is replayed", lambda: redone(stack, why) > 0, timeout_s=TIMEOUT_S)
        assert "--resume" in begun.end(signal.SIGINT)
        assert begun.process.returncode == 1
        assert 0 < redone(stack, why) < 24
        replay(stack, "--resume", "--rate=1000", "--yes")
        assert redone(stack, why) == 24
        assert query(stack, "analytics", counts) == [(placed + 12, confirmed + 12)]
    finally:
        stack.cli("projections", "rebuild", "analytics")


def redone(stack: RunningStack, why: str) -> int:
    """Return how many messages a forced replay has made take effect again."""
    counted = "select count(*) from replay_run join replay_message using (run_id) where why = %s"
    [[count]] = query(stack, "analytics", counted, why)
    return int(count)
