"""A service that has enough to do says so at once, rather than let everyone wait for longer than they do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.rest.event_stream import begins_stream
from producers.rest.figures import WATCHED
from producers.rest.problems import response_of, unavailable

RETRY_AFTER_S = 1


class Load:
    """How many requests a service is at, and may be.

    Args:
        most: Requests that it is at most at.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.in_flight = 0
        self.shed = 0

    @contextmanager
    def carried(self) -> Iterator[Callable[[], None]]:
        """Count a request inside of the block; what is given ends that earlier."""
        self.in_flight += 1
        is_carried = True

        def put_down() -> None:
            nonlocal is_carried
            self.in_flight -= is_carried
            is_carried = False

        try:
            yield put_down
        finally:
            put_down()

    @property
    def is_full(self) -> bool:
        return self.in_flight >= self.most


class Shedding:
    """ASGI middleware: refuses what comes on top of as many requests as may be under way.

    A stream of events counts until it has begun: then it is one of those, which have a bound of their own.
    """

    def __init__(self, app: ASGIApp, load: Load) -> None:
        self._app = app
        self._load = load

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        load = self._load
        if scope["type"] != "http" or scope["path"] in WATCHED:
            await self._app(scope, receive, send)
        elif load.is_full:
            load.shed += 1
            told = f"the service is at {load.most} requests, as many as it takes; nothing was done, try again"
            problem = unavailable(told, retry_after_s=RETRY_AFTER_S)
            await response_of(problem, Request(scope))(scope, receive, send)
        else:
            with load.carried() as put_down:

                async def send_on(message: Message) -> None:
                    if begins_stream(message):
                        put_down()
                    await send(message)

                await self._app(scope, receive, send_on)
