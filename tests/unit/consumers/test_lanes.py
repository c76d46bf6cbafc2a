"""What a lane takes in at a time, and when its position moves over what nobody handles."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cdc.kafka_record import KafkaRecord
from consumers.runtime.lanes import MOST_BYTES, Fetched, Lanes, LaneServices
from consumers.runtime.store import Place
from consumers.runtime.turns import LONGEST_WAIT_S, Turns
from consumers.testing.memory import MemoryDatabase
from tests.rig import PLACE, POLICY, Rig, in_memory

LINGER_S = 0.1
COMING = 40

SIZES = st.one_of(
    st.none(), st.integers(0, 100), st.integers(MOST_BYTES // 3, MOST_BYTES + MOST_BYTES // 3)
)


def records(sizes: Sequence[int | None]) -> list[KafkaRecord]:
    return [
        KafkaRecord("t", 0, offset, 0, b"k", None if size is None else bytes(size), ())
        for offset, size in enumerate(sizes)
    ]


@given(st.lists(SIZES, min_size=1, max_size=12))
def test_a_fetch_is_cut_where_its_records_are_large_and_is_done_with_its_last_part(
    sizes: Sequence[int | None],
) -> None:
    done = list[str]()
    fetched = Fetched(records(sizes), lambda: done.append("done"))
    parts = list(fetched.parts())
    assert [record for part in parts for record in part.records] == fetched.records
    lengths = [[len(record.value or b"") for record in part.records] for part in parts]
    assert all(sum(each) <= MOST_BYTES or len(each) == 1 for each in lengths)
    # none ends before the next record would be too much
    assert all(sum(each) + after[0] > MOST_BYTES for each, after in pairwise(lengths))
    for part in parts[:-1]:
        part.done()
    assert not done
    parts[-1].done()
    assert done == ["done"]


def test_small_records_stay_together() -> None:
    fetched = Fetched(records([70] * 5000))
    assert list(fetched.parts()) == [fetched]


def test_a_position_moves_also_while_only_what_nobody_handles_keeps_coming() -> None:
    asyncio.run(keeps_coming())


async def keeps_coming() -> None:
    rig = await Rig(in_memory(MemoryDatabase([]))).start()
    lanes = lanes_of(rig)
    lanes.open({PLACE: await rig.store.begin(PLACE, 0)})
    lane = lanes.get(PLACE)
    assert lane is not None
    seen = list[int]()
    for number in range(COMING):
        rig.publish([rig.cancelled(f"a{number}")])
        lane.add(Fetched(rig.log.fetch(PLACE, number, 1)))
        await asyncio.sleep(LINGER_S / 5)
        seen.append(lane.progress.position)
    # neither with each of them, nor after the last one alone
    assert 1 < len(set(seen)) <= COMING / 2
    assert seen[-1] >= COMING / 2
    assert await rig.store.position(PLACE) == seen[-1]
    await lanes.close(1)


def test_positions_move_together_over_what_nobody_handles() -> None:
    asyncio.run(come_to_several())


async def come_to_several() -> None:
    rig = await Rig(in_memory(MemoryDatabase([]))).start()
    rig.publish([rig.cancelled("a1")])
    [record] = rig.log.fetch(PLACE, 0, 1)
    lanes = lanes_of(rig)
    places = [PLACE._replace(partition=number) for number in range(8)]
    lanes.open({place: await rig.store.begin(place, 0) for place in places})
    transactions = 0

    @asynccontextmanager
    async def counted() -> AsyncIterator[object]:
        nonlocal transactions
        transactions += 1
        async with begin() as transaction:
            yield transaction

    begin, rig.store.transaction = rig.store.transaction, counted  # type: ignore[method-assign]
    for place in places:
        lane = lanes.get(place)
        assert lane is not None
        lane.add(Fetched([record._replace(partition=place.partition)]))
        await asyncio.sleep(LINGER_S / 20)
    await asyncio.sleep(2 * LINGER_S)
    assert [await rig.store.position(place) for place in places] == [1] * len(places)
    # in a round or two, and not each by itself
    assert transactions <= len(places) / 2
    await lanes.close(1)


def test_one_message_at_a_time_is_one_from_the_first_on() -> None:
    asyncio.run(come_at_once())


async def come_at_once() -> None:
    rig = await Rig(in_memory(MemoryDatabase([]))).start()
    lanes = lanes_of(rig, max_batch=1)
    lanes.open({PLACE: await rig.store.begin(PLACE, 0)})
    lane = lanes.get(PLACE)
    assert lane is not None
    rig.publish([rig.confirmed(f"a{number}") for number in range(5)])
    done = asyncio.Event()
    lane.add(Fetched(rig.log.fetch(PLACE, 0, 5), done.set))
    await done.wait()
    assert rig.calls == [[f"a{number}"] for number in range(5)]
    await lanes.close(1)


def test_who_waits_for_its_turn_is_not_told_to_be_tried() -> None:
    asyncio.run(wait_for_their_turn())


async def wait_for_their_turn() -> None:
    rig = await Rig(in_memory(MemoryDatabase([]))).start()
    rig.publish([rig.placed("a1"), rig.placed("a2")])
    lanes = lanes_of(rig)
    places = [PLACE._replace(partition=number) for number in range(2)]
    lanes.open({place: await rig.store.begin(place, 0) for place in places})
    is_let = asyncio.Event()

    @asynccontextmanager
    async def held() -> AsyncIterator[object]:
        await is_let.wait()
        async with begin() as transaction:
            yield transaction

    begin, rig.store.transaction = rig.store.transaction, held  # type: ignore[method-assign]
    for place, record in zip(places, rig.log.fetch(PLACE, 0, 2), strict=True):
        lane = lanes.get(place)
        assert lane is not None
        lane.add(Fetched([record._replace(partition=place.partition, offset=0)]))
        await asyncio.sleep(2 * LONGEST_WAIT_S)
    first, second = lanes.progress().values()
    assert (first.is_queued, second.is_queued) == (False, True)
    assert second.tried_at < first.tried_at
    is_let.set()
    await asyncio.sleep(LINGER_S)
    assert (first.is_queued, second.is_queued) == (False, False)
    assert [first.position, second.position] == [1, 1]
    await lanes.close(1)


def test_a_lane_that_has_nothing_to_do_moves_over_a_gap() -> None:
    asyncio.run(has_nothing_to_do())


async def has_nothing_to_do() -> None:
    rig = await Rig(in_memory(MemoryDatabase([]))).start()
    lanes = lanes_of(rig)
    lanes.open({PLACE: await rig.store.begin(PLACE, 0)})
    lane = lanes.get(PLACE)
    assert lane is not None
    lane.skip_to(3)
    lane.skip_to(9)
    await asyncio.sleep(LINGER_S)
    assert lane.is_idle
    assert lane.progress.position == await rig.store.position(PLACE) == 3
    await lanes.close(1)


def lanes_of(rig: Rig, max_batch: int = 10) -> Lanes:
    return Lanes(
        LaneServices(
            intake=rig.worker.intake,
            turns=Turns(rig.worker.processor, parallel=1),
            position=rig.store.position,
            seek=never,
            retries=POLICY,
            max_batch=max_batch,
            linger_s=LINGER_S,
        )
    )


async def never(place: Place, offset: int) -> None:
    raise AssertionError(f"{place} was gone back in, to {offset}")
