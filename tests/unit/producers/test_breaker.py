"""The circuit breaker and the retry budget, with a clock that stands still."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from producers.calling.breaker import CircuitBreaker, OpenError, State
from producers.calling.retries import CAPACITY, RetryBudget, wait_s
from producers.calling.settings import CallSettings

SETTINGS = CallSettings(
    breaker_window_ms=10_000,
    breaker_minimum_calls=10,
    breaker_failure_rate=0.5,
    breaker_slow_rate=0.8,
    breaker_slow_ms=2_000,
    breaker_open_ms=1_000,
)
LONGEST_OPEN_S = 1.2


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def make() -> tuple[CircuitBreaker, Clock, list[State]]:
    clock, seen = Clock(), list[State]()
    return CircuitBreaker(SETTINGS, seen.append, clock), clock, seen


def go(breaker: CircuitBreaker, *, failed: bool = False, took_s: float = 0.01) -> None:
    breaker.settle(breaker.admit(), failed=failed, took_s=took_s)


def opened() -> tuple[CircuitBreaker, Clock, list[State]]:
    breaker, clock, seen = make()
    for _ in range(10):
        go(breaker, failed=True)
    assert breaker.state is State.OPEN
    return breaker, clock, seen


def test_too_few_calls_say_nothing() -> None:
    breaker, _, seen = make()
    for _ in range(9):
        go(breaker, failed=True)
    assert seen == []


def test_fewer_failures_than_the_rate_are_borne() -> None:
    breaker, _, _ = make()
    for number in range(100):
        go(breaker, failed=number % 3 == 0)
    assert breaker.state is State.CLOSED


def test_calls_that_are_slow_open_it_though_they_succeed() -> None:
    breaker, _, _ = make()
    for _ in range(2):
        go(breaker)
    for _ in range(7):
        go(breaker, took_s=2.0)
    breaker.forget(breaker.admit())
    go(breaker, took_s=2.0)
    with pytest.raises(OpenError):
        breaker.admit()


def test_what_lies_behind_the_window_counts_no_more() -> None:
    breaker, clock, _ = make()
    for _ in range(9):
        go(breaker, failed=True)
    clock.now += 11
    for _ in range(9):
        go(breaker, failed=True)
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize("jump_s", [-5_000, 1e9])
def test_a_clock_that_jumps_does_not_break_it(jump_s: float) -> None:
    breaker, clock, _ = make()
    go(breaker)
    clock.now += jump_s
    with suppress(OpenError):
        for _ in range(10):
            go(breaker, failed=True)
    with pytest.raises(OpenError):
        breaker.admit()


def test_open_it_says_when_to_come_back_and_lets_exactly_one_call_try() -> None:
    breaker, clock, seen = opened()
    with pytest.raises(OpenError) as refused:
        breaker.admit()
    assert 0 < refused.value.retry_after_s <= LONGEST_OPEN_S
    clock.now += LONGEST_OPEN_S
    probe = breaker.admit()
    for _ in range(5):
        with pytest.raises(OpenError):
            breaker.admit()
    breaker.settle(probe, failed=False, took_s=0.01)
    for _ in range(50):
        breaker.admit()
    assert seen == [State.OPEN, State.HALF_OPEN, State.CLOSED]


@pytest.mark.parametrize(("failed", "took_s"), [(True, 0.1), (False, 3.0)])
def test_a_probe_that_fails_or_is_slow_opens_it_again(failed: bool, took_s: float) -> None:  # noqa: FBT001
    breaker, clock, seen = opened()
    clock.now += LONGEST_OPEN_S
    breaker.settle(breaker.admit(), failed=failed, took_s=took_s)
    with pytest.raises(OpenError):
        breaker.admit()
    assert seen == [State.OPEN, State.HALF_OPEN, State.OPEN]


def test_a_probe_that_its_caller_gives_up_leaves_its_place_to_the_next() -> None:
    breaker, clock, _ = opened()
    clock.now += LONGEST_OPEN_S
    breaker.forget(breaker.admit())
    breaker.settle(breaker.admit(), failed=False, took_s=0.1)
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize(
    "late",
    [
        lambda breaker, period: breaker.settle(period, failed=False, took_s=0.1),
        lambda breaker, period: breaker.settle(period, failed=True, took_s=0.1),
        lambda breaker, period: breaker.forget(period),
    ],
)
def test_a_call_of_before_decides_nothing_when_it_ends_late(
    late: Callable[[CircuitBreaker, int], None],
) -> None:
    breaker, clock, _ = make()
    period = breaker.admit()
    for _ in range(10):
        go(breaker, failed=True)
    clock.now += LONGEST_OPEN_S
    probe = breaker.admit()
    late(breaker, period)
    with pytest.raises(OpenError):
        breaker.admit()
    breaker.settle(probe, failed=False, took_s=0.1)
    assert breaker.state is State.CLOSED


def test_retries_are_a_tenth_of_successes_and_a_few_in_a_row() -> None:
    budget = RetryBudget()
    assert sum(budget.withdraw() for _ in range(100)) == CAPACITY
    for _ in range(95):
        budget.deposit()
    assert sum(budget.withdraw() for _ in range(100)) == 9
    for _ in range(100_000):
        budget.deposit()
    assert budget.left == CAPACITY


def test_waits_grow_at_random_and_never_undercut_what_was_asked_for() -> None:
    firsts = [wait_s(1, 0) or 0 for _ in range(200)]
    assert max(firsts) <= 0.05
    assert len(set(firsts)) > 100
    assert max(wait_s(4, 0) or 0 for _ in range(200)) > 0.2
    assert all((wait_s(1, 1) or 0) >= 1 for _ in range(50))
    assert max(wait_s(1_000, 0) or 0 for _ in range(50)) <= 1
    assert wait_s(1, 2) is None
