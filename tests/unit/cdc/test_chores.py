"""What is done again and again goes on when it fails, and does not keep others from being done."""

import asyncio
import contextlib

import pytest

from cdc.chores import Chore, Chores


def test_a_chore_that_fails_is_done_again_and_told_of_by_its_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    async def see_to_them() -> None:
        enough = asyncio.Event()

        async def fail() -> None:
            done.append("sweeping")
            if done.count("sweeping") > 1:
                enough.set()
            raise ZeroDivisionError

        async def succeed() -> None:
            done.append("dusting")

        chores = Chores()
        chores.start([Chore("sweeping", 0.001, fail), Chore("dusting", 0.001, succeed)])
        await asyncio.wait_for(enough.wait(), 10)
        await chores.stop()

    asyncio.run(see_to_them())
    assert "dusting" in done
    assert {vars(record)["fields"]["chore"] for record in caplog.records} == {"sweeping"}


def test_nothing_that_was_begun_is_nothing_to_stop() -> None:
    asyncio.run(Chores().stop())


def test_a_chore_that_loses_its_cancellation_is_not_done_again() -> None:
    times = 0

    async def scenario() -> None:
        begun = asyncio.Event()

        async def do() -> None:
            nonlocal times
            times += 1
            begun.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

        chores = Chores()
        chores.start([Chore("deaf", 600, do)])
        await begun.wait()
        await asyncio.wait_for(chores.stop(), 10)

    asyncio.run(scenario())
    assert times == 1
