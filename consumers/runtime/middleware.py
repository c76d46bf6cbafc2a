"""Middleware: what is done around every call of a handler, whichever it is."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work

CallNext = Callable[[], Awaitable[None]]
"""Calls the next middleware, and in the end the handler."""

Middleware = Callable[[Sequence[Received[Any]], Work | BulkWork, CallNext], Awaitable[None]]
"""`async (received, work, call_next)`: `received` is one message, or those of a call in bulk.

It works in the transaction of the handler, and what it raises decides about the messages as what a handler raises. The
messages count as handled if it does not call `call_next`.
"""


class TimeLimit:
    """Cancels calls that take too long, which is then the trouble of their messages and not of all in the process.

    What blocks the event loop cannot be cancelled; the watchdog ends the process for it.

    Args:
        limit_s: How long a call may take, in seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s

    async def __call__(
        self, _received: Sequence[Received[Any]], _work: Work | BulkWork, call_next: CallNext
    ) -> None:
        """Call, for as long as the limit allows.

        Raises:
            TimeoutError: it took longer.
        """
        limit = asyncio.timeout(self._limit_s)
        try:
            async with limit:
                await call_next()
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(f"the handler did not return within {self._limit_s:g} s") from error


@dataclass(slots=True)
class HandlerStats:
    """Totals of one handler since the process started, of attempts that were rolled back too.

    Args:
        calls: How often it was called.
        messages: With how many messages in all.
        failures: How many of the calls raised an error, or were cancelled as they took too long.
        seconds: How long the calls took in all.
    """

    calls: int = 0
    messages: int = 0
    failures: int = 0
    seconds: float = 0.0


class HandlerMeter:
    """Middleware that measures the handlers of one worker."""

    def __init__(self) -> None:
        self._stats: dict[str, HandlerStats] = {}

    async def __call__(
        self, received: Sequence[Received[Any]], work: Work | BulkWork, call_next: CallNext
    ) -> None:
        """Measure one call."""
        handler = received[0].handler
        stats = self._stats.setdefault(handler.name if handler else "", HandlerStats())
        stats.calls += 1
        stats.messages += len(received)
        begin = time.perf_counter()
        try:
            await call_next()
        except BaseException:  # of a call that is cancelled no other is seen here
            stats.failures += 1
            raise
        finally:
            stats.seconds += time.perf_counter() - begin

    def stats(self) -> Mapping[str, HandlerStats]:
        """Return the totals by the type of the message, or by the function that takes several."""
        return self._stats
