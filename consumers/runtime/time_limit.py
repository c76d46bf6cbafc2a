"""Middleware that has a call of a handler end in time, whatever the handler awaits."""

import asyncio
from collections.abc import Sequence
from typing import Any

from consumers.runtime.middleware import CallNext
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work


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
