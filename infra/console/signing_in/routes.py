"""Where people sign in and out."""

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cdc.logs import FieldLogger
from infra.console.guard import LARGEST_FORM_BYTES, Form
from infra.console.routes import Site, see
from infra.console.signing_in.sessions import Sessions, TooManyTriesError

log = FieldLogger(__name__)


def sign_in_routes(site: Site, sessions: Sessions, cookie: str, *, is_secure: bool) -> list[Route]:
    async def ask(request: Request) -> Response:
        return _page(request.query_params.get("to", ""))

    async def sign_in(_request: Request, form: Form) -> Response:
        name, to = form.get("name"), form.get("to")
        try:
            session_id = await sessions.sign_in(name, form.fields.get("password", ""))
        except TooManyTriesError:
            log.warning("refused", name=name, because="tried too often")
            return _page(
                to,
                "That was tried too often: wait a minute.",
                HTTPStatus.TOO_MANY_REQUESTS,
            )
        if session_id is None:
            log.warning("refused", name=name, because="wrong name or password")
            return _page(to, "Name and password do not belong together.", HTTPStatus.FORBIDDEN)
        log.info("signed in", name=name)
        answer = see(_ours(to))
        # how long it lasts is for the session to say, which each use prolongs
        answer.set_cookie(cookie, session_id, httponly=True, secure=is_secure, samesite="strict")
        return answer

    async def sign_out(request: Request, _form: Form) -> Response:
        sessions.end(request.cookies.get(cookie, ""))
        answer = see("/sign-in")
        answer.delete_cookie(cookie, httponly=True, secure=is_secure, samesite="strict")
        return answer

    def _page(to: str, problem: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        return site.pages.page("sign-in.html", status, to=_ours(to), problem=problem)

    return [
        site.get("/sign-in", ask, to=LARGEST_FORM_BYTES),
        site.post("/sign-in", sign_in, long=("to", "password"), acts=False, is_known=False),
        site.post("/sign-out", sign_out, acts=False),
    ]


def _ours(to: str) -> str:
    """Return an address of ours, whatever was asked for."""
    try:
        host = urlsplit(to.replace("\\", "/")).netloc
    except ValueError:  # half of the brackets around an IPv6 address, or a host that is none
        return "/"
    is_ours = to.startswith("/") and not to.startswith("//") and to.isprintable() and not host
    return to if is_ours else "/"
