"""When a worker is well, and when it is not."""

from dataclasses import replace

import pytest
from confluent_kafka import ConsumerGroupState

from cdc.kafka import Bounds, Topic
from consumers.runtime.group import Group
from consumers.runtime.judge import IDLE_LIMIT_S, NOTICE_S, Judge, Verdict
from consumers.runtime.lanes import Progress
from consumers.runtime.store import Place

TOPIC = "order.events"
PLACE = Place(TOPIC, 0)
OTHER = Place(TOPIC, 1)
LIMIT_S = 100.0
AT_WORK_MS = 1
START = 1000.0


def progress(
    position: int, *, at_work: bool = False, moved_at: float = 0.0, tried_at: float = 0.0
) -> Progress:
    oldest_ms = AT_WORK_MS if at_work else None
    return Progress(position, moved_at=moved_at, tried_at=tried_at, oldest_ms=oldest_ms)


def topics(*ends: int) -> dict[str, Topic]:
    bounds = {number: Bounds(0, end) for number, end in enumerate(ends)}
    return {TOPIC: Topic("id", len(ends), bounds)}


def group(*held: Place, members: int = 1, state: str = "STABLE") -> Group:
    return Group(
        ConsumerGroupState[state],
        {f"member-{number}": "client" for number in range(members)},
        frozenset(held),
    )


BOTH = group(PLACE, OTHER)
WELL = Verdict()


@pytest.fixture
def judge() -> Judge:
    return Judge(LIMIT_S, [TOPIC])


def stood(judge: Judge, lane: Progress, seconds: float) -> Verdict:
    """Return what is said of a lane that is first seen behind and then again."""
    assert judge.judge({PLACE: lane}, topics(8), group(PLACE), START) == WELL
    return judge.judge({PLACE: lane}, topics(9), group(PLACE), START + seconds)


def test_a_handler_may_take_long_and_not_for_ever(judge: Judge) -> None:
    assert stood(judge, progress(5, at_work=True), LIMIT_S / 2) == WELL


def test_a_handler_that_takes_too_long_is_told_of_and_then_ended(judge: Judge) -> None:
    lane = progress(5, at_work=True)
    verdict = stood(judge, lane, LIMIT_S)
    assert verdict == Verdict("order.events/0 is 4 messages behind and stands still at 5 for 100 s")
    assert judge.judge({PLACE: lane}, topics(9), group(PLACE), START + LIMIT_S + 1).is_final


def test_a_fetcher_that_fetches_nothing_is_given_less_time(judge: Judge) -> None:
    assert stood(judge, progress(5), NOTICE_S) == WELL
    judge.forget()
    verdict = stood(judge, progress(5), NOTICE_S + 1)
    assert (bool(verdict.trouble), verdict.is_final) == (True, False)
    judge.forget()
    assert stood(judge, progress(5), IDLE_LIMIT_S + 1).is_final


def test_who_is_at_the_end_may_rest(judge: Judge) -> None:
    for now in (0.0, 1000.0, 2000.0):
        assert judge.judge({PLACE: progress(5)}, topics(5), group(PLACE), now) == WELL


def test_the_time_counts_from_when_there_was_something_to_do(judge: Judge) -> None:
    seen = {PLACE: progress(5, at_work=True)}
    held = group(PLACE)
    assert judge.judge(seen, topics(5), held, 1000.0) == WELL
    assert judge.judge(seen, topics(6), held, 2000.0) == WELL
    assert not judge.judge(seen, topics(6), held, 2000.0 + LIMIT_S).is_final
    assert judge.judge(seen, topics(6), held, 2001.0 + LIMIT_S).is_final


@pytest.mark.parametrize("sign", ["moved_at", "tried_at"])
def test_who_moves_or_tries_does_not_stand_still_however_far_behind(
    judge: Judge, sign: str
) -> None:
    for number in range(10):
        now = START + number * LIMIT_S
        seen = {PLACE: progress(5, **{sign: now})}  # type: ignore[arg-type]
        assert judge.judge(seen, topics(99), group(PLACE), now) == WELL


def test_one_partition_that_stands_still_is_enough(judge: Judge) -> None:
    first = {PLACE: progress(5), OTHER: progress(1)}
    assert judge.judge(first, topics(9, 9), BOTH, START) == WELL
    seen = {PLACE: progress(8, moved_at=1100.0), OTHER: progress(1)}
    verdict = judge.judge(seen, topics(9, 9), BOTH, 1150.0)
    assert verdict.trouble.startswith("order.events/1 is 8 messages behind")


@pytest.mark.parametrize("at_work", [True, False])
def test_who_waits_for_its_turn_does_not_stand_still_while_others_have_theirs(
    judge: Judge, *, at_work: bool
) -> None:
    other = progress(5, at_work=True)
    seen = {PLACE: other, OTHER: replace(progress(1, at_work=at_work), is_queued=True)}
    for number in range(10):
        other.tried_at = START + number * LIMIT_S
        assert judge.judge(seen, topics(9, 9), BOTH, other.tried_at) == WELL
    assert judge.judge(seen, topics(9, 9), BOTH, other.tried_at + LIMIT_S + 1).is_final


def test_a_partition_that_was_given_away_is_forgotten(judge: Judge) -> None:
    seen, held = {PLACE: progress(5)}, group(PLACE)
    assert judge.judge(seen, topics(9), held, 1000.0) == WELL
    judge.judge({}, topics(9), held, 1050.0, is_taking_over=True)
    assert judge.judge(seen, topics(9), held, 1150.0) == WELL


@pytest.mark.parametrize(
    ("seen", "held", "said"),
    [
        (
            {PLACE: progress(9)},
            group(PLACE),
            "no member of the consumer group holds order.events/1",
        ),
        ({}, BOTH, "the worker holds no partition, although there are 2 for 1 members"),
        ({}, group(PLACE, OTHER, members=2), "the worker holds no partition"),
    ],
    ids=["one that nobody holds", "none", "none, in a group of two"],
)
def test_who_does_not_hold_what_it_should_is_told_of_and_then_started_again(
    judge: Judge, seen: dict[Place, Progress], held: Group, said: str
) -> None:
    assert judge.judge(seen, topics(9, 9), held, START) == WELL
    verdict = judge.judge(seen, topics(9, 9), held, START + NOTICE_S + 1)
    assert verdict.trouble.startswith(said)
    assert not verdict.is_final
    assert judge.judge(seen, topics(9, 9), held, START + IDLE_LIMIT_S + 1).is_final


def test_a_member_more_than_there_are_partitions_may_hold_none(judge: Judge) -> None:
    for number in range(10):
        now = START + number * IDLE_LIMIT_S
        held = group(PLACE, OTHER, members=3)
        assert judge.judge({}, topics(9, 9), held, now) == WELL


def test_partitions_of_one_number_go_to_one_member_whatever_their_topic(judge: Judge) -> None:
    two = topics(9) | {"payment.events": Topic("other id", 1, {0: Bounds(0, 9)})}
    held = group(PLACE, Place("payment.events", 0), members=2)
    for number in range(10):
        assert judge.judge({}, two, held, START + number * IDLE_LIMIT_S) == WELL


def test_who_waits_for_the_database_to_take_over_is_not_started_again(judge: Judge) -> None:
    for number in range(10):
        now = START + number * IDLE_LIMIT_S
        assert judge.judge({}, topics(9, 9), BOTH, now, is_taking_over=True) == WELL


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (group(members=0, state="EMPTY"), "the consumer group has no member, for 101 s"),
        (group(state="PREPARING_REBALANCING"), "the consumer group is being rebalanced, for 101 s"),
    ],
)
def test_a_worker_may_be_without_its_group_for_a_while(
    judge: Judge, seen: Group, said: str
) -> None:
    assert judge.judge({}, topics(9), seen, START) == WELL
    assert not judge.judge({}, topics(9), seen, START + LIMIT_S).is_final
    assert judge.judge({}, topics(9), seen, START + LIMIT_S + 1) == Verdict(said, is_final=True)


def test_a_group_that_came_back_is_no_trouble(judge: Judge) -> None:
    empty, held = group(members=0, state="EMPTY"), group(PLACE)
    assert judge.judge({}, topics(9), empty, START) == WELL
    assert judge.judge({PLACE: progress(9)}, topics(9), held, START + 50) == WELL
    assert judge.judge({}, topics(9), empty, START + LIMIT_S + 1) == WELL


def test_no_new_start_brings_a_topic_back_but_it_is_told_that_it_is_gone(judge: Judge) -> None:
    nothing = group()
    assert judge.judge({}, {}, nothing, START) == WELL
    verdict = judge.judge({}, {}, nothing, START + 10_000)
    assert verdict == Verdict("Kafka has no topic order.events, for 10000 s")


def test_what_was_seen_before_a_long_sleep_says_nothing(judge: Judge) -> None:
    assert judge.judge({PLACE: progress(5)}, topics(9), group(PLACE), START) == WELL
    judge.forget()
    assert judge.judge({PLACE: progress(5)}, topics(9), group(PLACE), START + 10_000) == WELL
