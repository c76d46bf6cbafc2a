"""How far a consumer is behind in one partition."""

import time

import pytest

from cdc.kafka import Bounds, Topic
from cdc.kafka_record import KafkaRecord
from consumers.runtime.lag import (
    KeptPosition,
    PartitionLag,
    TopicLag,
    partition_lag,
    resolved,
    start_in,
)
from consumers.runtime.store import Place, Position

PLACE = Place("t", 0)


def lag(
    position: int | None, bounds: Bounds | None, *oldest: KafkaRecord | None
) -> tuple[int | None, float | None]:
    measured = partition_lag(
        PLACE, kept(position), bounds, dict.fromkeys([PLACE], *oldest) if oldest else {}
    )
    return measured.messages, measured.seconds


def first(offset: int, timestamp: int) -> KafkaRecord:
    return KafkaRecord(*PLACE, offset, timestamp, b"key", b"value", ())


def kept(position: int | None) -> KeptPosition:
    return KeptPosition(position=None if position is None else Position(position, "old"))


def ago(seconds: float) -> int:
    return round((time.time() - seconds) * 1000)


@pytest.mark.parametrize(
    ("position", "topic_id", "begins", "lost", "said"),
    [
        (None, "old", 10, 0, None),
        (10, "old", 10, 0, None),
        (20, "old", 20, 0, None),
        (8, "old", 10, 2, "2 records from 8 on were deleted unread"),
        (21, "old", 10, 0, "the topic ends at 20, before the position 21"),
        (15, "new", 10, 0, "the topic was deleted and made anew, with 10 records now"),
    ],
    ids=["new", "at the beginning", "at the end", "deleted unread", "cut off", "made anew"],
)
def test_a_worker_would_begin_at(
    position: int | None, topic_id: str, begins: int, lost: int, said: str | None
) -> None:
    bounds = Bounds(10, 20)
    state = resolved(Place("t", 0), kept(position), Topic(topic_id, 1, {0: bounds}))
    assert (start_in(state, bounds), state.lost) == (begins, lost)
    assert bool(state.reset) == bool(said)
    assert (state.reset or "").startswith(said or "")


def test_a_consumer_at_the_end_is_not_behind() -> None:
    assert lag(20, Bounds(10, 20)) == (0, 0.0)
    assert lag(None, Bounds(20, 20)) == (0, 0.0)


def test_a_new_consumer_has_the_whole_topic_before_it() -> None:
    messages, seconds = lag(None, Bounds(10, 20), first(10, ago(60)))
    assert messages == 10
    assert seconds == pytest.approx(60, abs=5)


def test_offsets_that_hold_no_record_before_the_oldest_are_not_counted() -> None:
    messages, _ = lag(10, Bounds(0, 20), first(14, ago(1)))
    assert messages == 6


def test_nothing_is_behind_where_no_offset_holds_a_record() -> None:
    assert lag(10, Bounds(0, 20), None) == (0, 0.0)


def test_what_kafka_does_not_answer_is_not_known() -> None:
    assert lag(10, Bounds(0, 20)) == (10, None)
    assert lag(10, None) == (None, None)


def test_a_clock_that_is_ahead_makes_no_negative_age() -> None:
    assert lag(10, Bounds(0, 20), first(10, ago(-60))) == (10, 0.0)


def test_a_topic_is_as_late_as_its_latest_partition() -> None:
    def partition(messages: int | None, seconds: float | None) -> PartitionLag:
        return PartitionLag(
            partition=0, position=0, end=0, messages=messages, seconds=seconds, duplicates=2
        )

    def topic(*partitions: PartitionLag) -> TopicLag:
        return TopicLag(consumer="c", topic="t", partitions=partitions, parked=0, dead=0)

    some = topic(partition(3, 5.0), partition(4, None), partition(0, 0.0))
    assert (some.messages, some.seconds, some.duplicates) == (7, 5.0, 6)
    gone = topic(partition(None, None))
    assert (gone.messages, gone.seconds) == (None, None)
