"""What is done again and again beside the work of a process, whatever happens to it now and then."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import psycopg

from cdc.logs import FieldLogger

LONGEST_PAUSE_S = 10.0

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
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, chore: Chore) -> None:
        pause_s, task = chore.every_s, asyncio.current_task()
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
            # before Python 3.12 `wait_for`, which pools use, may lose a cancellation that comes with what it waits for
            if task and task.cancelling():
                return
            await asyncio.sleep(pause_s)
