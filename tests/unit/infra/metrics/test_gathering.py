"""Metrics are gathered within a bounded time, whatever a source does, and each source fails for itself."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cdc.metrics import Metric, gauge, one
from infra.errors import TailraceError
from infra.metrics import gathering
from infra.metrics.gathering import Gatherer, Source


class Asked:
    """A source that counts how often it is looked at."""

    def __init__(self, name: str, every_s: float = 0.0) -> None:
        self.opened = self.closed = self.looks = 0
        self.is_closed = threading.Event()
        self.fails: Exception | None = None
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.source = Source(name, self._open, every_s)

    @contextmanager
    def _open(self) -> Iterator[Callable[[], list[Metric]]]:
        self.opened += 1
        try:
            yield self._look
        finally:
            self.closed += 1
            self.is_closed.set()

    def _look(self) -> list[Metric]:
        self.goes_on.wait(30)
        if self.fails:
            raise self.fails
        self.looks += 1
        return [gauge(f"tailrace_{self.source.name}_looks", "Looks.", one(self.looks))]


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "PATIENCE_S", 0.05)


async def until_told(gatherer: Gatherer, line: str) -> str:
    async with asyncio.timeout(30):
        while line not in (told := await gatherer.gather()):
            pass
    return told


def test_who_stands_still_holds_up_nobody_and_goes_on_later() -> None:
    async def run() -> None:
        still, well = Asked("still"), Asked("well")
        still.goes_on.clear()
        gatherer = Gatherer([still.source, well.source])
        told = await until_told(gatherer, 'tailrace_source_up{source="well"} 1.0')
        assert 'tailrace_source_up{source="still"} 0.0' in told
        assert "tailrace_still_looks" not in told
        still.goes_on.set()
        told = await until_told(gatherer, 'tailrace_source_up{source="still"} 1.0')
        assert "tailrace_still_looks" in told
        assert still.opened == 1

    asyncio.run(run())


def test_who_fails_is_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "PATIENCE_S", 30)

    async def run() -> None:
        asked = Asked("shaky")
        gatherer = Gatherer([asked.source])
        assert "tailrace_shaky_looks 1.0" in await gatherer.gather()
        asked.fails = TailraceError("it is down")
        told = await gatherer.gather()
        assert 'tailrace_source_up{source="shaky"} 0.0' in told
        assert "tailrace_shaky_looks 1.0" in told  # for a while
        assert (asked.opened, asked.closed) == (1, 1)
        monkeypatch.setattr(gathering, "KEPT_S", 0)
        assert "tailrace_shaky_looks" not in await gatherer.gather()
        asked.fails = None
        monkeypatch.setattr(gathering, "KEPT_S", 30)
        assert "tailrace_shaky_looks 2.0" in await gatherer.gather()

    asyncio.run(run())


def test_a_fault_of_ours_is_no_reason_to_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "PATIENCE_S", 30)

    async def run() -> None:
        faulty, well = Asked("faulty"), Asked("well")
        faulty.fails = KeyError("x")
        told = await Gatherer([faulty.source, well.source]).gather()
        assert 'tailrace_source_up{source="faulty"} 0.0' in told
        assert "tailrace_well_looks 1.0" in told

    asyncio.run(run())


def test_who_is_dear_to_ask_is_asked_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "PATIENCE_S", 30)

    async def run() -> None:
        dear = Asked("dear", every_s=1000)
        gatherer = Gatherer([dear.source])
        for _ in range(3):
            assert "tailrace_dear_looks 1.0" in await gatherer.gather()
        dear.fails = TailraceError("unused")
        assert 'tailrace_source_up{source="dear"} 1.0' in await gatherer.gather()

    asyncio.run(run())


def test_connections_are_closed_when_nobody_scrapes_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathering, "PATIENCE_S", 30)
    monkeypatch.setattr(gathering, "LINGER_S", 0.01)

    async def run() -> None:
        asked = Asked("idle")
        gatherer = Gatherer([asked.source])
        await gatherer.gather()
        assert await asyncio.to_thread(asked.is_closed.wait, 30)
        assert "tailrace_idle_looks 2.0" in await gatherer.gather()
        assert asked.opened == 2

    asyncio.run(run())
