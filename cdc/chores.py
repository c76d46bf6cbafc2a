"""What is done again and again beside the work of a process, whatever happens to it now and then."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import psycopg

from cdc.logs import FieldLogger

LONGEST_PAUSE_S = 10.0
CANCEL_AGAIN_S = 2.0

log = FieldLogger(__name__)


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


def is_trouble_of_the_database(error: Exception) -> bool:
    """Tell whether an error will pass with the trouble of the database."""
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


async def cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended, however they do.

    Once is not enough: before Python 3.12 `asyncio.wait_for`, which the connection pool uses, loses a cancellation that
    comes together with what it waits for (python/cpython#86296).
    """
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)


class Chores:
    """Sees to chores, each on its own.

    Args:
        will_pass: Tells of which errors a line in the log is enough; the others are logged with their traceback.
    """

    def __init__(self, will_pass: Callable[[Exception], bool] = is_trouble_of_the_database) -> None:
        self._will_pass = will_pass
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, chores: Sequence[Chore]) -> None:
        """Begin with them."""
        self._tasks = [
            asyncio.create_task(self._repeat(chore), name=chore.name) for chore in chores
        ]

    async def stop(self) -> None:
        """Break off what is under way."""
        await cancel(self._tasks)

    async def _repeat(self, chore: Chore) -> None:
        pause_s = chore.every_s
        while True:
            try:
                await chore.do()
            except Exception as error:
                pause_s = min(2 * pause_s, max(chore.every_s, LONGEST_PAUSE_S))
                fields = {"chore": chore.name, "again_in_s": pause_s}
                if self._will_pass(error):
                    log.warning("chore failed", error=repr(error), **fields)
                else:
                    log.exception("chore failed", **fields)
            else:
                pause_s = chore.every_s
            await asyncio.sleep(pause_s)
