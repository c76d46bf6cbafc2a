"""How soon a fetch follows the last one."""

import pytest

from consumers.runtime.pace import GATHER_MOST_S, MANY, pause_s


@pytest.mark.parametrize("count", [0, 1, MANY, 10 * MANY])
def test_neither_a_record_alone_nor_a_backlog_is_a_reason_to_wait(count: int) -> None:
    assert pause_s(count, 1.0) == 0


def test_the_more_come_together_and_the_longer_a_transaction_takes_the_longer_is_the_wait() -> None:
    assert pause_s(10, 0.0) == 0
    assert 0 < pause_s(2, 0.004) < pause_s(5, 0.004) < pause_s(5, 0.02)
    assert pause_s(2, 60) == GATHER_MOST_S


def test_at_a_low_rate_waiting_comes_to_nothing_and_at_a_high_one_to_the_most() -> None:
    def settled(per_s: float, count: float) -> float:
        paused_s = 0.0
        for _ in range(50):
            paused_s = pause_s(round(count), 0.005)
            count = max(1, per_s * (paused_s + 0.005))
        return paused_s

    assert settled(per_s=100, count=10) == 0
    assert settled(per_s=1000, count=2) == GATHER_MOST_S


def test_a_consumer_that_gathers_always_does_so_after_a_record_alone_too() -> None:
    assert pause_s(1, 0.004, 0.1) == pause_s(5, 0.004, 0.1) == 0.1
    assert pause_s(0, 0.004, 0.1) == pause_s(MANY, 0.004, 0.1) == 0
