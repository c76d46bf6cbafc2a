"""How far a consumer is behind in one partition."""

import time

import pytest

from consumers.runtime.lag import PartitionLag, Seen, TopicLag, partition_lag, start_in
from consumers.runtime.positions import Bounds


def lag(
    position: int | None, bounds: Bounds | None, oldest: Seen | None = None
) -> tuple[int | None, float | None]:
    measured = partition_lag(0, (position, 0), bounds, oldest)
    return measured.messages, measured.seconds


def ago(seconds: float) -> int:
    return round((time.time() - seconds) * 1000)


@pytest.mark.parametrize(
    ("position", "begins"),
    [(None, 10), (10, 10), (15, 15), (20, 20), (9, 10), (21, 10)],
    ids=["new", "at the beginning", "within", "at the end", "deleted unread", "made anew"],
)
def test_a_worker_would_begin_at(position: int | None, begins: int) -> None:
    assert start_in(position, Bounds(10, 20)) == begins


def test_a_consumer_at_the_end_is_not_behind() -> None:
    assert lag(20, Bounds(10, 20)) == (0, 0.0)
    assert lag(None, Bounds(20, 20)) == (0, 0.0)


def test_a_new_consumer_has_the_whole_topic_before_it() -> None:
    messages, seconds = lag(None, Bounds(10, 20), Seen(10, ago(60)))
    assert messages == 10
    assert seconds == pytest.approx(60, abs=5)


def test_offsets_that_hold_no_record_before_the_oldest_are_not_counted() -> None:
    messages, _ = lag(10, Bounds(0, 20), Seen(14, ago(1)))
    assert messages == 6


def test_nothing_is_behind_where_no_offset_holds_a_record() -> None:
    assert lag(10, Bounds(0, 20), Seen(None, 0)) == (0, 0.0)


def test_what_kafka_does_not_answer_is_not_known() -> None:
    assert lag(10, Bounds(0, 20)) == (10, None)
    assert lag(10, None) == (None, None)


def test_a_clock_that_is_ahead_makes_no_negative_age() -> None:
    assert lag(10, Bounds(0, 20), Seen(10, ago(-60))) == (10, 0.0)


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
