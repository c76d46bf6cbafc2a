"""What is done again and again goes on when it fails, and does not keep others from being done."""

import asyncio

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


def test_a_chore_that_loses_its_cancellation_ends_with_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cdc.chores.CANCEL_AGAIN_S", 0.01)
    lost = 0

    async def scenario() -> None:
        nonlocal lost
        begun = asyncio.Event()

        async def do() -> None:
            nonlocal lost
            begun.set()
            while lost < 3:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    lost += 1

        chores = Chores()
        chores.start([Chore("deaf", 600, do)])
        await begun.wait()
        await asyncio.wait_for(chores.stop(), 10)

    asyncio.run(scenario())
    assert lost == 3
