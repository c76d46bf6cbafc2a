"""An effect once: whatever is delivered again, by whichever worker, and what is sent with it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cdc.ids import new_id
from cdc.outbox import ConcurrencyError
from consumers.runtime.processor import Chunk
from consumers.runtime.store import FenceLostError, Place
from schemas.messages.canary import CanaryEmitted
from tests.rig import PAUSE_S, PLACE, Rig
from tests.runtime_contract.case import case, id_of, new_context, with_headers


@case
async def a_batch_takes_effect_and_moves_the_position(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1"), rig.confirmed("b1"), rig.placed("c1")])
    assert sorted(await rig.effects()) == ["a1", "b1", "c1"]
    assert await rig.progress() == (3, 3, 0)
    assert await rig.parked() == []


@case
async def a_message_twice_in_a_batch_takes_effect_once(rig: Rig) -> None:
    a1, b1 = rig.placed("a1"), rig.confirmed("b1")
    await rig.deliver([a1, b1, a1, b1])
    assert await rig.effects() == ["a1", "b1"]
    assert rig.calls == [["a1"], ["b1"]]
    assert await rig.progress() == (4, 2, 2)


@case
async def a_message_sent_again_later_takes_effect_once(rig: Rig) -> None:
    a1, b1, c1 = rig.placed("a1"), rig.confirmed("b1"), rig.placed("c1")
    await rig.deliver([a1, b1], [b1, c1, a1], [a1])
    assert await rig.effects() == ["a1", "b1", "c1"]
    assert await rig.progress() == (6, 3, 3)


@case
async def a_partition_delivered_from_its_beginning_takes_no_effect(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1"), rig.confirmed("b1")], [rig.placed("a2")])
    await rig.rewind()
    await rig.deliver([])
    await rig.worker.catch_up(rig.log)
    assert await rig.effects() == ["a1", "b1", "a2"]
    assert await rig.progress() == (3, 3, 3)


@case
async def ids_are_the_same_however_they_are_written(rig: Rig) -> None:
    a1 = rig.placed("a1")
    shouted = with_headers(a1, ce_id=id_of(a1).upper())
    await rig.deliver([a1, shouted], [shouted])
    assert await rig.effects() == ["a1"]


@case
async def consumers_do_not_take_each_others_messages(rig: Rig) -> None:
    other = await rig.beside(name="other-worker")
    await rig.deliver([rig.placed("a1"), rig.confirmed("b1")])
    rig.fails["c1"] = ZeroDivisionError
    await rig.deliver([rig.placed("c1")])
    await other.worker.catch_up(other.log)
    assert await rig.effects() == ["a1", "b1", "a1", "b1"]
    assert await other.progress() == (3, 3, 0)
    rig.fails.clear()
    assert await other.after(PAUSE_S) == 1
    assert (await rig.look()).parked != []


@case
async def what_was_sent_is_kept_with_the_effect(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1"), rig.placed("b1")])
    assert await rig.sent() == ["a1", "b1"]
    [first, _] = (await rig.look()).sent
    assert (first.topic, first.key, first.version) == ("payment.events", "a", None)


@case
async def a_consumer_begins_in_a_partition_once(rig: Rig) -> None:
    assert await rig.store.position(PLACE) is None
    assert await rig.store.begin(PLACE, 7) == 7
    assert await rig.store.begin(PLACE, 3) == 7
    assert await rig.store.position(PLACE) == 7
    assert await rig.store.position(Place("order.events", 1)) is None


@case
async def a_position_is_moved_only_by_who_knows_it(rig: Rig) -> None:
    await rig.store.begin(PLACE, 7)
    with pytest.raises(FenceLostError, match=r"contract-worker.*6.*order\.events/0"):
        await rig.store.move(PLACE, 6, 0)
    await rig.store.move(PLACE, 7, 2)
    assert await rig.store.position(PLACE) == 2


@case
async def a_worker_without_a_position_takes_nothing(rig: Rig) -> None:
    rig.publish([rig.placed("a1")])
    batch = await rig.worker.intake.prepare(rig.log.fetch(PLACE, 0, 1))
    with pytest.raises(FenceLostError):
        await rig.worker.processor.apply(Chunk(PLACE, 0, batch, 1))
    assert await rig.effects() == []


@case
async def a_lost_fence_leaves_nothing_and_calls_nobody(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1")])
    a2, b1 = rig.placed("a2"), rig.confirmed("b1")
    with pytest.raises(FenceLostError):
        await rig.apply(a2, b1, base=0)
    assert rig.calls == [["a1"]]
    assert await rig.progress() == (1, 1, 0)
    # nor were the ids taken: who holds the partition makes them take effect
    await rig.worker.catch_up(rig.log)
    assert await rig.effects() == ["a1", "a2", "b1"]
    assert await rig.progress() == (3, 3, 0)


@case
async def a_lost_fence_parks_nothing(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1")])
    rig.fails["b1"] = ZeroDivisionError
    b1 = rig.placed("b1")
    with pytest.raises(FenceLostError):
        await rig.apply(b1, replace(rig.placed("c1"), value=b"no Avro"), base=0)
    assert await rig.parked() == []
    assert await rig.dead() == []


@case
async def two_workers_on_one_partition_make_each_effect_once(rig: Rig) -> None:
    other = await rig.beside()
    rig.worker.positions[PLACE] = other.worker.positions[PLACE] = await rig.store.begin(PLACE, 0)
    for number in range(1, 5):
        await rig.deliver([rig.placed(f"a{number}"), rig.confirmed(f"b{number}")])
        await other.worker.step(rig.log, PLACE, 3)
    await other.worker.catch_up(rig.log)
    assert sorted(await rig.effects()) == sorted(f"{key}{n}" for key in "ab" for n in range(1, 5))
    assert other.worker.fences_lost > 0


@case
async def offsets_without_a_record_are_passed_over(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1")])
    await rig.worker.processor.apply(Chunk(PLACE, 1, [], 5))
    assert await rig.progress() == (5, 1, 0)
    with pytest.raises(FenceLostError):
        await rig.worker.processor.apply(Chunk(PLACE, 1, [], 9))


@case
async def an_aggregate_takes_each_version_once(rig: Rig) -> None:
    async def append(after: int, transaction: Any) -> None:
        await rig.outbox.append(
            transaction,
            [CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC))] * 2,
            aggregate_id="one",
            after_version=after,
            context=new_context(),
        )

    async with rig.store.transaction() as transaction:
        await append(0, transaction)
    with pytest.raises(ConcurrencyError, match="one is past version 1"):
        async with rig.store.transaction() as transaction:
            await append(1, transaction)
    async with rig.store.transaction() as transaction:
        await append(2, transaction)
    assert [each.version for each in (await rig.look()).sent] == [1, 2, 3, 4]


@case
async def events_appended_in_a_pipeline_meet_their_conflict_as_others_do(rig: Rig) -> None:
    async def append(transaction: Any) -> None:
        async with rig.outbox.pipeline(transaction):
            for aggregate_id in ("one", "two"):
                await rig.outbox.append(
                    transaction,
                    [CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC))],
                    aggregate_id=aggregate_id,
                    after_version=0,
                    context=new_context(),
                )

    async with rig.store.transaction() as transaction:
        await append(transaction)
    with pytest.raises(ConcurrencyError, match="decide anew"):
        async with rig.store.transaction() as transaction:
            await append(transaction)
    assert [each.version for each in (await rig.look()).sent] == [1, 1]


@case
async def a_message_that_does_not_fit_its_schema_is_not_sent(rig: Rig) -> None:
    with pytest.raises(ValueError, match=r"canary\.CanaryEmitted does not fit its schema"):
        async with rig.store.transaction() as transaction:
            await rig.outbox.send(
                transaction,
                CanaryEmitted(canary_id=new_id(), emitted_at="now"),  # type: ignore[arg-type]
                key="k",
                context=new_context(),
            )
    assert (await rig.look()).sent == []
