"""What is done again and again beside the work of a process, whatever happens to it now and then."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
from psycopg_pool import PoolTimeout

from cdc.logs import FieldLogger

LONGEST_PAUSE_S = 10.0

log = FieldLogger(__name__)


def is_trouble_of_the_database(error: Exception) -> bool:
    """Tell whether an error will pass with the trouble of the database."""
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | PoolTimeout)


async def repeat(
    every_s: float,
    work: Callable[[], Awaitable[None]],
    will_pass: Callable[[Exception], bool] = is_trouble_of_the_database,
) -> None:
    """Do something for ever, less often while it fails.

    Args:
        every_s: Pause between two times, in seconds.
        work: What to do.
        will_pass: Tells of which errors a line in the log is enough; the others are logged with their traceback.
    """
    pause_s = every_s
    while True:
        try:
            await work()
        except Exception as error:
            pause_s = min(2 * pause_s, max(every_s, LONGEST_PAUSE_S))
            if will_pass(error):
                log.warning("chore failed", error=repr(error), again_in_s=pause_s)
            else:
                log.exception("chore failed", again_in_s=pause_s)
        else:
            pause_s = every_s
        await asyncio.sleep(pause_s)


@asynccontextmanager
async def chore(every_s: float, work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Repeat something beside what the block does."""
    task = asyncio.create_task(repeat(every_s, work))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
