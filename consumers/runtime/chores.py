"""What is done again and again beside consuming."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from consumers.runtime.failures import is_transient

LONGEST_PAUSE_S = 10.0

log = logging.getLogger(__name__)


class Chore(NamedTuple):
    """Something that is done again and again.

    Args:
        name: What people call it.
        every_s: Pause between two times, in seconds; longer after a failure.
        do: Does it once.
    """

    name: str
    every_s: float
    do: Callable[[], Awaitable[None]]


class Chores:
    """Sees to chores, each on its own."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, chores: Sequence[Chore]) -> None:
        """Begin with them."""
        self._tasks = [asyncio.create_task(_repeat(chore), name=chore.name) for chore in chores]

    async def stop(self) -> None:
        """Break off what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _repeat(chore: Chore) -> None:
    pause_s = chore.every_s
    while True:
        try:
            await chore.do()
        except Exception as error:
            pause_s = min(2 * pause_s, max(chore.every_s, LONGEST_PAUSE_S))
            if is_transient(error):
                log.warning("%s: %r; again in %g s", chore.name, error, pause_s)
            else:
                log.exception("%s failed; again in %g s", chore.name, pause_s)
        else:
            pause_s = chore.every_s
        await asyncio.sleep(pause_s)
