"""When a round of retention is due: by the clock on the wall, which goes on while the machine sleeps."""

from threading import Event

import pytest

from cdc.retention.__main__ import wait_until_due


@pytest.mark.parametrize(
    "times",
    [
        pytest.param((0, 0, 1200, 2400, 3600), id="awake"),
        pytest.param((0, 0, 60, 30_000), id="asleep for hours"),
        pytest.param((0, 0, 86_400 * 365), id="set ahead"),
        pytest.param((9000, 9000, 9060, 100), id="set back"),
    ],
)
def test_a_round_is_due_when_the_hour_is_over(times: tuple[float, ...]) -> None:
    left = iter(times)
    wait_until_due(Event(), 3600, look_s=0.001, clock=lambda: next(left))
    assert list(left) == []


def test_who_says_to_stop_is_heard_at_once() -> None:
    stopped = Event()
    stopped.set()
    wait_until_due(stopped, 3600)
