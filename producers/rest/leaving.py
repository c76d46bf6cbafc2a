"""A service that is told to stop says so when it is asked how it is, and answers all else for a moment longer."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.discovery.registration import Registration
from producers.rest.problems import response_of, unavailable

HEALTH = "/health"


class Leaving:
    """ASGI middleware: while a service leaves, `/health` is 503 and each connection ends with its next answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_leaving(scope):
            await self._app(scope, receive, send)
            return

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start":
                # whoever kept it open would else find it closed when it sends the next request
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        if scope["path"] == HEALTH:
            problem = unavailable("the service is about to stop; ask another instance")
            await response_of(problem, Request(scope))(scope, receive, send_last)
        else:
            await self._app(scope, receive, send_last)


def _is_leaving(scope: Scope) -> bool:
    registration: Registration | None = scope["app"].state.registration
    return registration is not None and registration.is_leaving
