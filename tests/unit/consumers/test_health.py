"""How partitions are told to be."""

import time

import pytest

from consumers.runtime.health import PartitionHealth, partition_health
from consumers.runtime.lanes import Progress
from consumers.runtime.store import Place

PLACE = Place("order.events", 0)


def health(progress: Progress, end: int | None, now_s: float = 100.0) -> PartitionHealth:
    [told] = partition_health({PLACE: progress}, {} if end is None else {PLACE: end}, now_s)
    return told


def test_lag_is_counted_to_the_end() -> None:
    assert health(Progress(5), 8).lag == 3
    assert health(Progress(8), 8).lag == 0


def test_an_end_that_was_seen_earlier_makes_no_negative_lag() -> None:
    told = health(Progress(9), 8)
    assert (told.lag, told.lag_s) == (0, 0.0)


def test_the_lag_is_as_old_as_the_first_message_that_is_not_done() -> None:
    assert health(Progress(5, oldest_ms=98_500), 8).lag_s == 1.5


def test_a_message_from_the_future_is_not_older_than_now() -> None:
    assert health(Progress(5, oldest_ms=200_000), 8).lag_s == 0.0


def test_who_is_behind_with_nothing_fetched_lags_since_it_moved() -> None:
    progress = Progress(5, moved_at=time.monotonic() - 30)
    assert health(progress, 8).lag_s == pytest.approx(30, abs=5)


def test_who_is_at_the_end_has_no_lag() -> None:
    assert health(Progress(8, moved_at=time.monotonic() - 30), 8).lag_s == 0.0


def test_without_an_end_nothing_is_claimed() -> None:
    told = health(Progress(5), None)
    assert (told.lag, told.lag_s) == (None, None)


def test_partitions_come_in_their_order_with_what_is_counted() -> None:
    seen = {
        Place("payment.events", 0): Progress(1),
        Place("order.events", 1): Progress(2, waiting_for="PoolTimeout: no connection is free"),
        Place("order.events", 0): Progress(3, applied=7, duplicates=2, parked=1),
    }
    first, second, third = partition_health(seen, {}, 100.0)
    assert [(each.topic, each.partition) for each in (first, second, third)] == sorted(seen)
    assert (first.applied, first.duplicates, first.parked) == (7, 2, 1)
    assert second.waiting_for == "PoolTimeout: no connection is free"
