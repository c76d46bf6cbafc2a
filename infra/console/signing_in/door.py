"""Lets in who may: anybody where the console is asked by this machine alone, and who has signed in where it is not."""

from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cdc.logs import FieldLogger
from infra.console.guard import READS
from infra.console.signing_in.sessions import Sessions
from infra.console.users import UsersError
from infra.console.visitor import Visitor, introduce

log = FieldLogger(__name__)

OPEN = ("/sign-in", "/health", "/static/")
STREAMS = ("/events", "/topic/follow")


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
        request = Request(scope)
        path = scope["path"]
        if path.startswith(OPEN):
            introduce(Visitor())
            await self._app(scope, receive, send)
            return
        answer = _refusal(self._sessions, request.cookies.get(self._cookie, ""), request)
        await (answer or self._app)(scope, receive, send)


def _refusal(sessions: Sessions, session_id: str, request: Request) -> Response | None:
    """Return the answer to who is not let in; None to who is, and is known from now on."""
    path = request.url.path
    try:
        visitor = sessions.visitor(session_id)
    except UsersError as error:
        log.warning("cannot tell who may sign in", because=str(error))
        told = f"Nobody is let in just now: {error}.\n"
        return PlainTextResponse(told, HTTPStatus.SERVICE_UNAVAILABLE)
    if visitor is not None:
        introduce(visitor)
        return None
    if request.scope["method"] in READS and not path.startswith(STREAMS):
        asked = f"{path}?{request.url.query}" if request.url.query else path
        return RedirectResponse(f"/sign-in?to={quote(asked, safe='')}", HTTPStatus.SEE_OTHER)
    told = "Nothing was done: sign in first, at /sign-in.\n"
    return PlainTextResponse(told, HTTPStatus.UNAUTHORIZED)
