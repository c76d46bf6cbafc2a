"""What is killed while a demonstration goes on is told of the run in which it was."""

import asyncio

import pytest

from infra.demo import crashes
from infra.demo.crashes import crashing


class Shown:
    def __init__(self) -> None:
        self.problems: list[str] = []
        self.told = asyncio.Event()

    def moved(self, rows: int) -> None:
        pass

    def problem(self, problem: str) -> None:
        self.problems.append(problem)
        self.told.set()


async def killed_in_a_run() -> tuple[dict[str, int], list[str]]:
    turns, shown = iter(["relay", None]), Shown()
    async with crashing(lambda: next(turns, None), shown) as killed, asyncio.timeout(30):
        await shown.told.wait()
    return dict(killed), shown.problems


def test_each_run_counts_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashes, "PAUSE_S", 0.01)
    for _ in range(2):
        assert asyncio.run(killed_in_a_run()) == ({"relay": 1}, ["killed relay"])


def test_nothing_is_killed_that_nobody_asked_for() -> None:
    async def run() -> dict[str, int]:
        async with crashing(None, Shown()) as killed:
            return dict(killed)

    assert asyncio.run(run()) == {}
