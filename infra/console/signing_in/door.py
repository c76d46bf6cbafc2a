"""Lets in who may: anybody where the console is asked by this machine alone, and who has signed in where it is not."""

from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from infra.console.guard import READS
from infra.console.signing_in.sessions import Sessions
from infra.console.visitor import Visitor, introduce

OPEN = ("/sign-in", "/health", "/static/")


class Door:
    """ASGI middleware: says who asks, and has them sign in first where that is needed.

    Args:
        anybody: Who asks where nobody has to sign in.
        cookie: Name of that of a session.
    """

    def __init__(
        self, app: ASGIApp, sessions: Sessions | None, anybody: Visitor, cookie: str
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._anybody = anybody
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._sessions is None:
            introduce(self._anybody)
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        visitor = self._sessions.visitor(request.cookies.get(self._cookie, ""))
        introduce(visitor or Visitor())
        path = request.url.path
        if visitor is not None or path.startswith(OPEN):
            await self._app(scope, receive, send)
        elif scope["method"] in READS and not path.startswith(("/events", "/topic/follow")):
            asked = f"{path}?{request.url.query}" if request.url.query else path
            answer = RedirectResponse(f"/sign-in?to={quote(asked, safe='')}", HTTPStatus.SEE_OTHER)
            await answer(scope, receive, send)
        else:
            told = "Nothing was done: sign in first, at /sign-in.\n"
            await PlainTextResponse(told, HTTPStatus.UNAUTHORIZED)(scope, receive, send)
