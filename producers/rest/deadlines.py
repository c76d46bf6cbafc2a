"""A request has a deadline, and is given up when that is over or nobody waits for it any more."""

import asyncio
import time
from contextvars import ContextVar
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cdc.deadline import LEAST_S, Deadline, DeadlineExceededError, within
from producers.rest.event_stream import begins_stream
from producers.rest.problems import ProblemError, response_of
from producers.rest.timeout_headers import budget_s, repeats_itself, retries_allowed
from schemas.rest.problem import DEADLINE_EXCEEDED, TOO_SLOW

GRACE_S = 0.02
"""How long it is waited for what was given up to end; then the client is answered all the same."""
_LENGTHS = {b"content-length": b"0", b"transfer-encoding": None}
"""Headers that announce a body, each with the value by which there is none."""


@dataclass(slots=True)
class Trace:
    """What a request may have left behind by now."""

    may_be_done: bool = False


_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)


@dataclass(slots=True)
class GivenUp:
    """How many requests were given up since the start."""

    too_late: int = 0  # the time was over
    abandoned: int = 0  # the client was gone


def current_trace() -> Trace:
    """Return what the request that is being served may have left behind."""
    return _trace.get() or Trace()


def too_late() -> ProblemError:
    """Return the 504 of a request whose time is over: whether anything was done decides what it says."""
    if current_trace().may_be_done:
        detail = "the time for the request is over; whether it was acted on is unknown"
        return ProblemError(504, detail, kind=TOO_SLOW)
    detail = "the time for the request is over; nothing was done, try again or give it more time"
    return ProblemError(504, detail, kind=DEADLINE_EXCEEDED)


def install(app: FastAPI) -> None:
    """Have the application answer for what was not begun, as there is not enough time for it."""

    @app.exception_handler(DeadlineExceededError)
    async def on_exceeded(request: Request, _: DeadlineExceededError) -> Response:
        return response_of(too_late(), request)


class Deadlines:
    """ASGI middleware: has each request done within the client's budget, and ends it when the client hangs up.

    It is no `BaseHTTPMiddleware`: below one of those, nobody hears of a client that hangs up.

    Args:
        app: What is served.
        default_s: Seconds that a request has which says nothing of it.
        most_s: Seconds that a request has at most, whatever it says.
        given_up: Counts what was given up.
    """

    def __init__(self, app: ASGIApp, *, default_s: float, most_s: float, given_up: GivenUp) -> None:
        self._app = app
        self._default_s = default_s
        self._most_s = most_s
        self._given_up = given_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived = time.monotonic()
        headers = scope["headers"]
        _trace.set(Trace())
        retries_allowed.set(not repeats_itself(headers))
        exchange = _Exchange(scope, receive, send, self._given_up)
        try:
            asked_s = budget_s(headers)
        except ProblemError as error:
            await exchange.answer(error)
            return
        budget = self._default_s if asked_s is None else min(asked_s, self._most_s)
        if budget < LEAST_S:
            self._given_up.too_late += 1
            await exchange.answer(too_late())
            return
        deadline = Deadline(arrived + budget)
        await exchange.run(self._app, deadline, to_begin=asked_s is None)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, given_up: GivenUp) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._given_up = given_up
        self._is_whole = _is_without_body(scope)
        self._owes_body = self._is_whole  # the application may ask for the empty one
        self._began = self._ended = self._is_closed = False
        self._may_go_on = self._is_stream = False
        self._gone = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._instead: asyncio.Task[None] | None = None
        self._timer: asyncio.Timeout = asyncio.timeout(None)

    async def run(self, app: ASGIApp, deadline: Deadline, *, to_begin: bool) -> None:
        """Have the application answer, by the deadline or until nobody waits any more.

        Args:
            to_begin: Whether an answer that has begun by then may go on, as a long one does that is read slowly.
        """
        loop = asyncio.get_running_loop()
        self._may_go_on = to_begin
        late: asyncio.TimerHandle | None = None
        try:
            async with self._timer:
                if self._is_whole:
                    self._watch()
                self._timer.reschedule(deadline.at)
                late = loop.call_at(deadline.at + GRACE_S, self._answer_instead)
                with within(deadline):
                    await app(self._scope, self.receive, self.send)
        except TimeoutError:
            if not self._timer.expired():
                raise
            await self._give_up()
        finally:
            if late is not None:
                late.cancel()
            if self._watcher is not None:
                self._watcher.cancel()

    async def receive(self) -> Message:
        """Receive for the application; once the body is whole, only the watcher listens to the client."""
        if self._owes_body:
            self._owes_body = False
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._is_whole:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            self._is_whole = True
            self._watch()
        return message

    async def send(self, message: Message) -> None:
        if self._is_closed:
            return  # it was answered already
        if not self._began:
            self._is_stream = begins_stream(message)
            if self._may_go_on and not self._timer.expired():
                self._timer.reschedule(None)
        self._began = True
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._ended = True
        await self._send(message)

    async def answer(self, error: ProblemError) -> None:
        if self._began:
            return  # the application was quicker, since this was decided
        self._began = self._is_closed = True
        await response_of(error, Request(self._scope))(self._scope, self._receive, self._send)

    def _watch(self) -> None:
        self._watcher = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()
        if not (self._ended or self._is_closed or self._timer.expired()):
            self._timer.reschedule(asyncio.get_running_loop().time())

    async def _give_up(self) -> None:
        if self._gone.is_set():
            self._given_up.abandoned += not self._is_stream  # which is left when it has told enough
            return
        self._given_up.too_late += 1
        if not self._began:
            await self.answer(self._verdict())
        # the server closes the connection of an answer that is under way, and has come to no end

    def _verdict(self) -> ProblemError:
        if self._is_whole:
            return too_late()
        return ProblemError(
            408, "the body did not arrive in the time for the request; send it again"
        )

    def _answer_instead(self) -> None:
        """Answer for what was told to end, and does not yet."""
        if not self._began and not self._gone.is_set():
            self._instead = asyncio.create_task(self.answer(self._verdict()))


def _is_without_body(scope: Scope) -> bool:
    """Tell whether a request has certainly no body; before HTTP/2 every body is announced."""
    announced = [value == _LENGTHS[name] for name, value in scope["headers"] if name in _LENGTHS]
    return all(announced) and (bool(announced) or scope.get("http_version") in {"1.0", "1.1"})
