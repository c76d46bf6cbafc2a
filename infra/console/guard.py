"""Who may ask, and what browsers may do with the answers.

A page of somebody else's, open in the same browser, can send requests here, and by a name that it lets lead to this
machine (DNS rebinding) it could read the answers as well. So requests are refused that are not for one of our
names, or that change something and do not come from a page of ours; and forms carry a token that only our pages know.
"""

import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cdc.logs import FieldLogger
from cdc.text import quoted
from infra.console.installation import Installation
from infra.console.visitor import present
from infra.errors import RequestError
from infra.text import LONGEST_TEXT, require_text

LARGEST_FORM_BYTES = 16 * 1024
LARGEST_TEXT_BYTES = 4 * 2**20
"""The same of forms that hold a whole message or schema."""
FORM = "application/x-www-form-urlencoded"
log = FieldLogger(__name__)

READS = frozenset({"GET", "HEAD"})

HEADERS = {
    # nothing of a page is taken as script or style that is not a file of ours, whatever gets into the page
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # without one, forms would come from nowhere, and be refused
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

SECURE = {"strict-transport-security": "max-age=31536000"}


class Guard:
    """ASGI middleware: refuses what comes from elsewhere, and says what may be done with the answers.

    Args:
        origins: Names that requests may be for, and the origin of our pages by each.
        is_secure: Whether browsers reach us by TLS.
    """

    def __init__(self, app: ASGIApp, origins: Mapping[str, str], *, is_secure: bool) -> None:
        self._app = app
        self._origins = origins
        self._headers = HEADERS | (SECURE if is_secure else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        if refusal := self._refusal(scope["method"], Headers(scope=scope)):
            await PlainTextResponse(refusal, 403)(scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)

    def _refusal(self, method: str, headers: Headers) -> str:
        origin = self._origins.get(headers.get("host", "").lower())
        if origin is None:
            return f"This is none of the names of the console: it is asked at {' or '.join(sorted(self._origins))}.\n"
        if method in READS:
            return ""
        if headers.get("origin") != origin:
            return "Nothing was done: the request does not come from a page of the console.\n"
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return "Nothing was done: the request was sent by a page of somebody else's.\n"
        return ""


class FormError(Exception):
    """A form is refused; nothing was done."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form that was sent from a page of ours by somebody who may act."""

    fields: Mapping[str, str]

    @property
    def actor(self) -> str:
        """Who acts: who has signed in, whatever the form says."""
        return present().name or self.require("actor", "who you are")

    @property
    def why(self) -> str:
        return self.require("why", "why, as it is kept with what is done")

    def get(self, name: str) -> str:
        return self.fields.get(name, "").strip()

    def require(self, name: str, what: str) -> str:
        if not (value := self.get(name)):
            raise FormError(f"Nothing was done: say {what}.")
        return value


Act = Callable[[Request, Form], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Forms:
    """Takes forms; every endpoint that is sent one is made by `taking`."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def taking(
        self,
        act: Act,
        *,
        largest_bytes: int,
        long: Collection[str] = (),
        acts: bool = True,
        is_known: bool = True,
    ) -> Endpoint:
        """Return an endpoint that is sent a form.

        Args:
            long: Fields that may be as long as the form.
            acts: Whether it changes something: for a reason, on somebody's account, which is noted.
            is_known: Whether pages of ours carry a token that says whose they are; before somebody signs in none does.
        """

        async def endpoint(request: Request) -> Response:
            if acts:
                self._require_acting()
            form = await self._read(request, largest_bytes)
            require_texts(form.fields.items(), dict.fromkeys(long, largest_bytes))
            if is_known:
                _require_token(form)
            if acts:
                log.info("asked for", path=request.url.path, actor=form.actor, why=form.why)
            return await act(request, form)

        return endpoint

    def _require_acting(self) -> None:
        if self._installation.mode != "act":
            raise FormError(
                "Nothing was done: this console is there to look. Act by the command line, or with the setting "
                'console = "act".'
            )
        if not present().may_act:
            raise FormError("Nothing was done: you may look, and not act.")

    async def _read(self, request: Request, largest_bytes: int) -> Form:
        if request.headers.get("content-type", "").partition(";")[0].strip() != FORM:
            raise FormError(f"Nothing was done: a form is sent as {FORM}.")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > largest_bytes:
                raise FormError(
                    f"Nothing was done: the form has more than {largest_bytes // 1024} kB."
                )
        try:
            fields = dict(
                parse_qsl(
                    body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=20
                )
            )
        except ValueError as error:
            raise FormError("Nothing was done: the form cannot be read.") from error
        return Form(fields)


def require_texts(
    asked: Iterable[tuple[str, str]], longest: Mapping[str, int] = MappingProxyType({})
) -> None:
    """Refuse what no name, id or text is, before it is looked for anywhere.

    Args:
        asked: What an address or a form says, each with its name.
        longest: How many characters those have at most that may be longer than others.
    """
    for name, text in asked:
        try:
            require_text(name)
            require_text(text, longest.get(name, LONGEST_TEXT))
        except ValueError as error:
            raise RequestError(f"{quoted(name)} is wrong: {error}.") from error


def _require_token(form: Form) -> None:
    token = present().token
    if not (token and secrets.compare_digest(form.get("token").encode(), token.encode())):
        raise FormError(
            "Nothing was done: the page is from before the console was started. Reload it, and try again."
        )
