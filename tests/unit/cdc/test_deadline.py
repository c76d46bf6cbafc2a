import asyncio

import pytest

from cdc.deadline import Deadline, DeadlineExceededError, current_deadline, within


def test_nothing_outside_of_a_request_has_a_deadline() -> None:
    assert current_deadline() is None


def test_an_inner_deadline_never_extends_the_outer_one() -> None:
    early, late = Deadline.after(1), Deadline.after(60)
    with within(early):
        with within(late) as kept:
            assert kept == current_deadline() == early
        assert current_deadline() == early
    with within(late), within(early) as kept:
        assert kept == early
    assert current_deadline() is None


def test_each_task_has_the_deadline_of_whoever_started_it() -> None:
    async def look() -> Deadline | None:
        await asyncio.sleep(0)
        return current_deadline()

    async def start_two() -> None:
        with within(Deadline.after(1)) as first:
            inner = asyncio.create_task(look())
        with within(Deadline.after(2)) as second:
            other = asyncio.create_task(look())
        assert [await inner, await other] == [first, second]

    asyncio.run(start_two())


def test_what_takes_longer_than_there_is_time_is_refused_before_it_is_begun() -> None:
    deadline = Deadline.after(1)
    assert 0.5 < deadline.require(0.5) <= 1
    with pytest.raises(DeadlineExceededError, match=r"ms remain, and it takes 2000 ms"):
        deadline.require(2)
    with pytest.raises(DeadlineExceededError, match=r"^0 ms remain"):
        Deadline.after(-5).require(0)
