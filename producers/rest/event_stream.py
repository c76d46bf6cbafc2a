"""Answers that go on while there is something to tell: Server-Sent Events, of which so many are open, for so long.

A client that reads with `EventSource` comes back by itself when an answer has ended, with the id of the last event in
`Last-Event-ID`, until it is answered with 204. What it is told to read again it would not notice, so that ids are what
a source goes on from.
"""

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from contextvars import Context as Variables
from dataclasses import dataclass
from typing import Annotated, Any

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from cdc.chores import cancel
from producers.rest.problems import ProblemError, unavailable
from producers.rest.state import of_state

MEDIA_TYPE = "text/event-stream"
LONGEST_S = 300.0
JITTER = 0.1
"""Share by which streams are shorter, so that clients that came together do not come back together."""
HEARTBEAT_S = 15.0
"""How often a stream says that it is there: proxies cut what is silent, and only sending shows that nobody listens."""
RETRY_MS = 2_000
FULL_AGAIN_S = 5
TELLING = "telling"
"""In the state of a request whose answer is such a stream: a client that has hung up by half is not there any more."""
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}  # nginx would hold events back

_NUMBER = re.compile("[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Event:
    """What is told.

    Args:
        id: Where in its source it stands.
        data: What is told, in one line.
    """

    id: int
    data: str

    def __bytes__(self) -> bytes:
        return f"id: {self.id}\ndata: {self.data}\n\n".encode()


Events = AsyncGenerator[Event | None, None]
"""A source of events; None when there is nothing to tell yet. One that ends without anything will never have more."""


class EventStreams:
    """The streams of a service that are open.

    Args:
        most: How many may be.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.refused = 0
        self._open: set[asyncio.Future[None]] = set()
        self._is_ending = False

    @property
    def open(self) -> int:
        return len(self._open)

    def end(self) -> None:
        """End all that are open, in good order, and open none any more: their clients come back."""
        self._is_ending = True
        for each in self._open:
            _settle(each)

    @contextmanager
    def opened(self) -> Iterator["asyncio.Future[None]"]:
        """Open one inside of the block, for as long as what is given is not done.

        Raises:
            ProblemError: there are too many, or the service stops.
        """
        if self._is_ending:
            raise _stops()
        if self.open >= self.most:
            self.refused += 1
            told = f"{self.open} streams are open, as many as there may be; open this one later"
            raise unavailable(told, retry_after_s=FULL_AGAIN_S)
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        most_s = LONGEST_S * random.uniform(1 - JITTER, 1)  # noqa: S311 - no secret
        timer = loop.call_later(most_s, _settle, ended)
        self._open.add(ended)
        try:
            yield ended
        finally:
            timer.cancel()
            self._open.discard(ended)


class EventStream(StreamingResponse):
    """Tells what comes out of a source. It is begun with the first of that, or is the problem that came instead.

    Args:
        events: The source. It is read without the deadline of the request, which is one for the beginning.
        streams: Of the service.
    """

    media_type = MEDIA_TYPE

    def __init__(self, events: Events, streams: EventStreams) -> None:
        super().__init__((), headers=HEADERS)
        self._source = _Source(events)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._streams.opened() as ended:
                await self._tell(scope, send, ended)
        finally:
            await self._source.close()

    async def _tell(self, scope: Scope, send: Send, ended: "asyncio.Future[None]") -> None:
        source = self._source
        await source.wait(ended)
        if ended.done():
            raise _stops()
        first = source.take()
        if source.is_over:
            self.status_code = 204
            del self.headers["content-type"]
        scope["state"][TELLING] = True
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        if not source.is_over and not scope["state"]["is_head"]:
            await send(_part(f"retry: {RETRY_MS}\n\n".encode()))
            await self._go_on(first, send, ended)
        await send({"type": "http.response.body", "body": b""})

    async def _go_on(self, event: Event | None, send: Send, ended: "asyncio.Future[None]") -> None:
        source = self._source
        while not source.is_over:
            await send(_part(b":\n\n" if event is None else bytes(event)))
            await source.wait(ended, timeout_s=HEARTBEAT_S)
            if ended.done():
                return
            event = source.take()


class _Source:
    """Events, waited for without losing any when the wait is given up."""

    def __init__(self, events: Events) -> None:
        self.is_over = False
        self._events = events
        self._variables = Variables()
        self._next: asyncio.Task[Event | None] | None = None

    async def wait(self, ended: "asyncio.Future[None]", timeout_s: float | None = None) -> None:
        """Return when there is something to take, or the stream is to end, or the time is over."""
        if self._next is None:
            self._next = asyncio.create_task(self._read(), context=self._variables)
        awaited: set[asyncio.Future[Any]] = {self._next, ended}
        await asyncio.wait(awaited, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)

    def take(self) -> Event | None:
        """Return what has come; None when nothing has."""
        if self._next is None or not self._next.done():
            return None
        event = self._next.result()
        self._next = None
        return event

    async def close(self) -> None:
        if self._next is not None:
            await cancel([self._next])
        await self._events.aclose()

    async def _read(self) -> Event | None:
        try:
            return await anext(self._events)
        except StopAsyncIteration:
            self.is_over = True
            return None


Streams = Annotated[
    EventStreams, of_state("streams")
]  # endpoint parameter that receives the streams


def number_in(last_event_id: str) -> int:
    """Return the id of the event that a client has read last; 0 where it has read none, or says what we never told."""
    return int(last_event_id) if _NUMBER.fullmatch(last_event_id) else 0


def begins_stream(message: Message) -> bool:
    """Tell whether a message of ASGI begins such an answer."""
    return message["type"] == "http.response.start" and any(
        name == b"content-type" and value.startswith(MEDIA_TYPE.encode())
        for name, value in message["headers"]
    )


def _stops() -> ProblemError:
    return unavailable("the service stops; try again")


def _part(data: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": True}


def _settle(ended: "asyncio.Future[None]") -> None:
    if not ended.done():
        ended.set_result(None)
