"""Probes are made beside scrapes, now and then, and what was not asked for is not missed."""

import threading
from collections.abc import Iterator

import pytest

from infra.metrics import probes
from infra.metrics.probes import Canary
from infra.settings import load_settings


class Tried(Canary):
    """A canary that is sent nowhere, and does not come through."""

    def __init__(self) -> None:
        super().__init__(load_settings().deployment(), every_s=60)
        self.goes_on = threading.Event()
        self.tries = threading.Semaphore(0)

    def _do(self) -> None:
        self.tries.release()
        self.goes_on.wait(30)

    @property
    def age_s(self) -> float:
        age = next(metric for metric in self.metrics() if metric.name.endswith("age_seconds"))
        return float(age.samples[0].value)


@pytest.fixture
def canary(clock: "Clock") -> Iterator[Tried]:
    tried = Tried()
    yield tried
    tried.goes_on.set()


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(probes, "time", clock)
    return clock


def test_one_is_under_way_at_a_time_and_one_that_stands_still_is_told(
    canary: Tried, clock: Clock
) -> None:
    for _ in range(5):
        canary.begin()
        clock.now += 30
    assert canary.tries.acquire(timeout=30)
    assert not canary.tries.acquire(blocking=False)
    assert not canary.is_up
    assert canary.age_s == 150


def test_while_nobody_scrapes_no_canary_is_missed(canary: Tried, clock: Clock) -> None:
    canary.begin()
    clock.now += 15
    canary.begin()
    assert canary.age_s == 15
    clock.now += 3600
    canary.begin()
    assert canary.age_s == 0
