"""Chunks of several partitions in one transaction: all of them take effect, or none does."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from consumers.runtime.processor import Chunk, NotTogetherError
from consumers.runtime.store import FenceLostError, Place
from consumers.testing.log import Log
from consumers.testing.records import NewRecord
from tests.rig import Rig
from tests.runtime_contract.case import case


async def chunk_of(rig: Rig, partition: int, *records: NewRecord, base: int = 0) -> Chunk:
    """Return a chunk of a partition, beginning where the store says unless a base is given."""
    log = Log(first=partition)
    for record in records:
        log.append(record)
    place = Place("order.events", partition)
    begin = await rig.store.begin(place, base)
    batch = await rig.worker.intake.prepare(log.fetch(place, 0, len(records)))
    return Chunk(place, begin, batch, begin + len(records))


async def positions(rig: Rig, *partitions: int) -> Sequence[int | None]:
    return [await rig.store.position(Place("order.events", each)) for each in partitions]


@case
async def chunks_of_partitions_take_effect_together(rig: Rig) -> None:
    first = await chunk_of(rig, 0, rig.placed("a1"), rig.confirmed("b1"))
    second = await chunk_of(rig, 1, rig.confirmed("c1"), rig.placed("d1"))
    empty = await chunk_of(rig, 2, rig.cancelled("e1"))
    applied = await rig.worker.processor.apply_together([first, second, empty])
    assert [(each.new, each.duplicates, each.parked) for each in applied] == [
        (2, 0, 0),
        (2, 0, 0),
        (0, 0, 0),
    ]
    assert await positions(rig, 0, 1, 2) == [2, 2, 1]
    assert sorted(await rig.effects()) == ["a1", "b1", "c1", "d1"]
    assert ["b1", "c1"] in rig.calls, "a bulk handler is called once for all partitions"


@case
async def a_message_in_two_partitions_takes_effect_once(rig: Rig) -> None:
    a1, b1 = rig.placed("a1"), rig.confirmed("b1")
    chunks = [await chunk_of(rig, 0, a1, b1), await chunk_of(rig, 1, b1, a1, a1)]
    applied = await rig.worker.processor.apply_together(chunks)
    assert [(each.new, each.duplicates) for each in applied] == [(2, 0), (0, 3)]
    assert sorted(await rig.effects()) == ["a1", "b1"]


@case
async def one_that_fails_leaves_nothing_of_the_others(rig: Rig) -> None:
    rig.fails["b1"] = ZeroDivisionError
    chunks = [await chunk_of(rig, 0, rig.placed("a1")), await chunk_of(rig, 1, rig.placed("b1"))]
    with pytest.raises(NotTogetherError):
        await rig.worker.processor.apply_together(chunks)
    assert await rig.effects() == []
    assert await positions(rig, 0, 1) == [0, 0]
    for chunk in chunks:
        await rig.worker.processor.apply(chunk)
    assert await rig.effects() == ["a1"]
    assert len((await rig.look()).parked) == 1


@case
async def one_lost_fence_leaves_nothing_of_the_others(rig: Rig) -> None:
    mine, lost = [
        await chunk_of(rig, each, rig.placed(f"{label}1")) for each, label in enumerate("ab")
    ]
    await rig.worker.processor.apply(lost)
    with pytest.raises(NotTogetherError) as raised:
        await rig.worker.processor.apply_together([mine, lost])
    assert isinstance(raised.value.__cause__, FenceLostError)
    assert await rig.effects() == ["b1"]
    assert await positions(rig, 0, 1) == [0, 1]


@case
async def a_key_that_waits_blocks_its_own_partition_only(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.worker.processor.apply(await chunk_of(rig, 0, rig.placed("a1")))
    chunks = [
        await chunk_of(rig, 0, rig.placed("a2"), rig.confirmed("b1")),
        await chunk_of(rig, 1, rig.placed("c1"), rig.confirmed("d1")),
    ]
    applied = await rig.worker.processor.apply_together(chunks)
    assert [each.parked for each in applied] == [1, 0]
    assert sorted(await rig.effects()) == ["b1", "c1", "d1"]


@case
async def a_malformed_record_is_parked_in_company_too(rig: Rig) -> None:
    broken = replace(rig.placed("a1"), value=b"no Avro")
    chunks = [await chunk_of(rig, 0, broken), await chunk_of(rig, 1, rig.placed("b1"))]
    applied = await rig.worker.processor.apply_together(chunks)
    assert [each.parked for each in applied] == [1, 0]
    assert await rig.effects() == ["b1"]


@case
async def whoever_watches_is_told_of_every_transaction(rig: Rig) -> None:
    told = list[bool]()
    chunks = [await chunk_of(rig, each, rig.placed(f"a{each}")) for each in range(2)]
    rig.fails["a1"] = ZeroDivisionError
    first, second = (replace(chunk, tell=told.append) for chunk in chunks)
    with pytest.raises(NotTogetherError):
        await rig.worker.processor.apply_together([first, second])
    assert told == [True, True, False, False]
    told.clear()
    await rig.worker.processor.apply(second)
    assert told == [True, False, True, False]
