"""Kills programs while a demonstration goes on; which, and how, is for whoever runs them to say."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from infra.demo.run import Display

PAUSE_S = 1.5
"""Between two of them: a program is back before its next turn."""


class Crashes(Protocol):
    """What can be killed."""

    @property
    def killed(self) -> Mapping[str, int]:
        """Name of each program -> how often it was."""
        ...

    def kill_next(self) -> str | None:
        """Kill one more and return its name; None when there is nothing to kill at the moment."""
        ...


@asynccontextmanager
async def crashing(crashes: Crashes | None, display: Display) -> AsyncIterator[None]:
    """Kill one program after the other while the block runs."""
    if crashes is None:
        yield
        return
    over = asyncio.Event()
    killing = asyncio.create_task(_kill(crashes, display, over))
    try:
        yield
    finally:
        over.set()
        await killing


async def _kill(crashes: Crashes, display: Display, over: asyncio.Event) -> None:
    while not over.is_set():
        if (killed := await asyncio.to_thread(crashes.kill_next)) is not None:
            display.problem(f"killed {killed}")
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_S):
                await over.wait()
