"""Kills programs while a demonstration goes on; which, and how, is for whoever runs them to say."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from infra.demo.run import Display

PAUSE_S = 3.0
"""For which the last one has been back at least."""


class Crashes(Protocol):
    """What can be killed."""

    @property
    def killed(self) -> Mapping[str, int]:
        """Name of each program -> how often it was."""
        ...

    def kill_next(self) -> str | None:
        """Kill one more and return its name; None as long as the last one is not back."""
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
    while not await _is_set_within(over, PAUSE_S):
        if (killed := await asyncio.to_thread(crashes.kill_next)) is not None:
            display.problem(f"killed {killed}")


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False
