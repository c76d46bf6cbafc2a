"""When a worker stands still, and when it does not."""

import pytest

from consumers.runtime.lanes import Progress
from consumers.runtime.store import Place
from consumers.runtime.watchdog import Judge

PLACE = Place("order.events", 0)
OTHER = Place("order.events", 1)
LIMIT_S = 100.0


def progress(position: int, *, moved_at: float = 0.0, tried_at: float = 0.0) -> Progress:
    return Progress(position, moved_at=moved_at, tried_at=tried_at)


@pytest.fixture
def judge() -> Judge:
    return Judge(LIMIT_S)


def test_who_is_behind_and_does_nothing_stands_still(judge: Judge) -> None:
    seen = {PLACE: progress(5)}
    assert judge.stalled(seen, {PLACE: 8}, 1000.0) is None
    assert judge.stalled(seen, {PLACE: 9}, 1000.0 + LIMIT_S) is None
    trouble = judge.stalled(seen, {PLACE: 9}, 1001.0 + LIMIT_S)
    assert trouble == "order.events/0 is 4 messages behind and stands still at 5 for 101 s"


def test_who_is_at_the_end_may_rest(judge: Judge) -> None:
    seen = {PLACE: progress(5)}
    for now in (0.0, 1000.0, 2000.0):
        assert judge.stalled(seen, {PLACE: 5}, now) is None


def test_the_time_counts_from_when_there_was_something_to_do(judge: Judge) -> None:
    seen = {PLACE: progress(5)}
    assert judge.stalled(seen, {PLACE: 5}, 1000.0) is None
    assert judge.stalled(seen, {PLACE: 6}, 2000.0) is None
    assert judge.stalled(seen, {PLACE: 6}, 2000.0 + LIMIT_S) is None
    assert judge.stalled(seen, {PLACE: 6}, 2001.0 + LIMIT_S) is not None


def test_who_moves_does_not_stand_still_however_far_behind(judge: Judge) -> None:
    for number in range(10):
        now = 1000.0 + number * LIMIT_S
        assert judge.stalled({PLACE: progress(number, moved_at=now)}, {PLACE: 99}, now) is None


def test_who_tries_again_and_again_does_not_stand_still(judge: Judge) -> None:
    for number in range(10):
        now = 1000.0 + number * LIMIT_S
        assert judge.stalled({PLACE: progress(5, tried_at=now - 5)}, {PLACE: 9}, now) is None


def test_one_partition_that_stands_still_is_enough(judge: Judge) -> None:
    ends = {PLACE: 9, OTHER: 9}
    assert judge.stalled({PLACE: progress(5), OTHER: progress(1)}, ends, 1000.0) is None
    seen = {PLACE: progress(8, moved_at=1100.0), OTHER: progress(1)}
    trouble = judge.stalled(seen, ends, 1150.0)
    assert trouble is not None
    assert trouble.startswith("order.events/1 is 8 messages behind")


def test_a_partition_that_was_given_away_is_forgotten(judge: Judge) -> None:
    assert judge.stalled({PLACE: progress(5)}, {PLACE: 9}, 1000.0) is None
    assert judge.stalled({}, {PLACE: 9}, 1050.0) is None
    assert judge.stalled({PLACE: progress(5)}, {PLACE: 9}, 1150.0) is None


def test_a_worker_may_be_without_its_group_for_a_while(judge: Judge) -> None:
    assert judge.left_behind(False, 1000.0) is None
    assert judge.left_behind(False, 1000.0 + LIMIT_S) is None
    trouble = judge.left_behind(False, 1001.0 + LIMIT_S)
    assert trouble == "the consumer group has no member for 101 s"


def test_a_group_that_came_back_is_no_trouble(judge: Judge) -> None:
    assert judge.left_behind(False, 1000.0) is None
    assert judge.left_behind(True, 1050.0) is None
    assert judge.left_behind(False, 1101.0) is None
