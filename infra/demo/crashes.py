"""Kills programs while a demonstration goes on; which, and how, is for whoever runs them to say."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from infra.demo.run import Display

PAUSE_S = 3.0
"""For which the last one has been back at least."""
KillNext = Callable[[], str | None]
"""Kills one more program and returns its name; None as long as the last one is not back."""


@asynccontextmanager
async def crashing(kill_next: KillNext | None, display: Display) -> AsyncIterator[Counter[str]]:
    """Kill one program after the other while the block runs, and count them by name."""
    killed: Counter[str] = Counter()
    if kill_next is None:
        yield killed
        return
    over = asyncio.Event()
    killing = asyncio.create_task(_kill(kill_next, killed, display, over))
    try:
        yield killed
    finally:
        over.set()
        await killing


async def _kill(
    kill_next: KillNext, killed: Counter[str], display: Display, over: asyncio.Event
) -> None:
    while not await _is_set_within(over, PAUSE_S):
        if (name := await asyncio.to_thread(kill_next)) is not None:
            killed[name] += 1
            display.problem(f"killed {name}")


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False
