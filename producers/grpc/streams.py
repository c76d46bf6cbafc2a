"""Streams that a server answers with: how many, for how long, and how one ends whose end has not come."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from cdc.deadline import Deadline, within
from producers.grpc.errors import LEAST_S, RefusedError

OPENED = (("x-stream", "open"),)
"""Initial metadata by which a caller knows that a stream has begun on which nothing may come for long."""
MOST = 500
"""Streams that are open at once: half of the calls of a server, so that others have theirs."""
LONGEST_S = 300.0
"""How long a stream is open at most: callers find new instances when they open it again."""
JITTER = 0.1
"""Share by which it may be shorter, so that streams which were opened together are not opened anew together."""
FULL_AGAIN_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBounds:
    """What the streams of a server may take."""

    most: int = MOST
    longest_s: float = LONGEST_S


class Stream:
    """One answer that is a stream. A message is made when the one before is on its way, so that none pile up."""

    def __init__(self) -> None:
        self.time = asyncio.timeout(None)
        self.is_over = False  # its caller may not have heard of that, so that it is still open
        self._writing: asyncio.Future[None] | None = None

    async def write(self, context: Any, message: Any) -> None:
        """Send a message, once the caller has taken enough of those before.

        Raises:
            CancelledError: the caller is gone, which a write may notice before the call is cancelled.
        """
        self._writing = asyncio.ensure_future(context.write(message))
        self._writing.add_done_callback(_noticed)
        try:
            await asyncio.shield(self._writing)
        except grpc.aio.InternalError as error:
            raise asyncio.CancelledError from error

    async def settled(self) -> None:
        """Return when nothing is being sent any more. gRPC takes a status only then, which may be never."""
        if self._writing is not None:
            await asyncio.wait({self._writing})


class Streams:
    """The streams that are open.

    Args:
        bounds: What they may take.
    """

    def __init__(self, bounds: StreamBounds | None = None) -> None:
        self.bounds = bounds or StreamBounds()
        self._open: set[Stream] = set()
        self._is_ending = False

    @property
    def open(self) -> int:
        return len(self._open)

    def end(self) -> None:
        """End all that are open, and open none any more."""
        self._is_ending = True
        now_s = asyncio.get_running_loop().time()
        for each in self._open:
            if not (each.is_over or each.time.expired()):
                each.time.reschedule(now_s)

    def forget(self, stream: Stream) -> None:
        """Give the place of a stream to another one: its caller has heard of its end."""
        self._open.discard(stream)

    @asynccontextmanager
    async def lasting(self, stream: Stream, remaining_s: float | None) -> AsyncIterator[None]:
        """Stream inside of the block, for as long as the caller and the bounds have it.

        Args:
            stream: It counts as open until it is forgotten.
            remaining_s: The caller's time; None where it sets no deadline.

        Raises:
            RefusedError: there is no room for it, or it is over before its end has come.
        """
        self._require_room()
        most_s = self.bounds.longest_s * random.uniform(1 - JITTER, 1)  # noqa: S311 - no secret
        is_callers = remaining_s is not None and remaining_s <= most_s
        deadline = Deadline.after(min(most_s, most_s if remaining_s is None else remaining_s))
        deadline.require(LEAST_S)
        try:
            with within(deadline):
                async with stream.time:
                    stream.time.reschedule(deadline.at)
                    self._open.add(stream)
                    try:
                        yield
                    finally:
                        stream.is_over = True
        except TimeoutError:
            if not stream.time.expired() or (is_callers and not self._is_ending):
                raise
            raise self._go_on_elsewhere() from None

    def _require_room(self) -> None:
        if self._is_ending:
            raise self._go_on_elsewhere()
        if self.open >= self.bounds.most:
            raise RefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self.open} streams are open, as many as there may be; open it again later",
                again_in_ms=FULL_AGAIN_MS,
            )

    def _go_on_elsewhere(self) -> RefusedError:
        why = "the service stops" if self._is_ending else "the stream was open for long enough"
        told = f"{why}; open it again, from what was seen last"
        return RefusedError(grpc.StatusCode.UNAVAILABLE, told, again_in_ms=0)


def _noticed(writing: asyncio.Future[None]) -> None:
    """Look at how a message fared that nobody waits for any more, or asyncio complains of it."""
    if not writing.cancelled():
        writing.exception()
