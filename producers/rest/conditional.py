"""Conditional requests (RFC 9110, 13): whoever has an answer is told so, and a change may be for one version only.

Every answer to a GET has an `ETag`, made of its bytes and its media type. What is shown of a row that counts its
changes has their number in front, so that a change can be made to depend on it.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.rest.problems import ProblemError, response_of
from schemas.rest.problem import CHANGED_MEANWHILE, MALFORMED_HEADER

ANY = "*"
UNCHANGED_ONLY = "private, no-cache"
"""May be kept by whoever asked, and is asked for again each time: what is shown here can change at any moment."""

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_TAGS = re.compile(rf"[ \t,]*{_TAG.pattern}(?:[ \t]*,[ \t,]*{_TAG.pattern})*[ \t,]*")
_OF_VERSION = re.compile(r'"([0-9]{1,18})-[0-9a-f]+"', re.ASCII)
_VERSION = "version"
_OK, _NOT_MODIFIED, _FIRST_ERROR = 200, 304, 400


class Conditional:
    """ASGI middleware: gives answers to GET their `ETag`, and answers 304 or 412 where the client makes conditions.

    A stream is passed on as it is, unless it brings a tag of its own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            await self._app(scope, receive, _Tagged(scope, receive, send).send)
        else:
            await self._app(scope, receive, send)


class _Tagged:
    """An answer to a GET, on its way out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._held: Message | None = None
        self._body = bytearray()
        self._is_settled = False

    async def send(self, message: Message) -> None:
        if self._is_settled:
            return
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._held is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._end(self._held)

    async def _begin(self, start: Message) -> None:
        headers = MutableHeaders(scope=start)
        if start["status"] >= _FIRST_ERROR:
            headers.setdefault("cache-control", "no-store")
        if start["status"] != _OK:
            await self._send(start)
        elif "etag" in headers:
            if not await self._settle(headers):
                await self._send(start)
        elif "content-length" in headers:
            self._held = start
        else:
            await self._send(start)

    async def _end(self, start: Message) -> None:
        headers = MutableHeaders(scope=start)
        version = self._scope["state"].get(_VERSION)
        headers["etag"] = _tag_of(self._body, headers.get("content-type", ""), version)
        if not await self._settle(headers):
            await self._send(start)
            await self._send({"type": "http.response.body", "body": bytes(self._body)})

    async def _settle(self, headers: MutableHeaders) -> bool:
        """Answer with 412 or 304 instead, if the client's conditions want it; tell whether they did."""
        headers.setdefault("cache-control", UNCHANGED_ONLY)
        asked, etag = Headers(scope=self._scope), headers["etag"]
        try:
            require_wanted(asked, etag)
        except ProblemError as error:
            self._is_settled = True
            await response_of(error, Request(self._scope))(self._scope, self._receive, self._send)
            return True
        if not has_it(asked, etag):
            return False
        self._is_settled = True
        kept = [(k, v) for k, v in headers.raw if not k.startswith(b"content-")]
        await self._send({"type": "http.response.start", "status": _NOT_MODIFIED, "headers": kept})
        await self._send({"type": "http.response.body", "body": b""})
        return True


def has_it(headers: Headers, etag: str) -> bool:
    """Tell whether the client says that it has what the tag stands for: this one, weak or strong, or any."""
    said = ",".join(headers.getlist("if-none-match"))
    return said.strip() == ANY or etag in (tag.removeprefix("W/") for tag in _TAG.findall(said))


def wanted_tags(headers: Headers) -> frozenset[str] | None:
    """Return the tags of `If-Match`, one of which has to be that of what is there; None where any will do.

    Raises:
        ProblemError: it is no list of tags. What the client wanted to be sure of is unknown then.
    """
    said = ",".join(headers.getlist("if-match")).strip()
    if said == ANY or "if-match" not in headers:
        return None
    if not _TAGS.fullmatch(said):
        raise ProblemError(
            400,
            "If-Match is no list of entity tags; send an ETag as it came, in its quotes, or leave it out",
            kind=MALFORMED_HEADER,
        )
    return frozenset(_TAG.findall(said))


def require_wanted(headers: Headers, etag: str) -> None:
    """Refuse to show what the client's `If-Match` does not name."""
    wanted = wanted_tags(headers)
    if wanted is not None and etag not in wanted:
        raise changed_meanwhile()


def changed_meanwhile() -> ProblemError:
    """Return the 412 of a client that knows something else than what is there."""
    detail = (
        "it is no longer as If-Match has it; nothing was done, look at it again and decide anew"
    )
    return ProblemError(412, detail, kind=CHANGED_MEANWHILE)


class Shown:
    """What an answer shows."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state

    def at(self, version: int) -> None:
        """Say after how many changes it is shown; nothing else than a change makes another number of it."""
        self._state[_VERSION] = version


async def _shown(request: Request) -> Shown:
    return Shown(request.scope["state"])


async def _wanted_versions(request: Request) -> frozenset[int] | None:
    wanted = wanted_tags(request.headers)
    return None if wanted is None else frozenset(_versions(wanted))


async def _if_match(request: Request) -> str | None:
    wanted_tags(request.headers)  # a list that is none is refused before anybody else is asked
    return ",".join(request.headers.getlist("if-match")) or None


ShownAt = Annotated[Shown, Depends(_shown)]
"""Endpoint parameter of a GET that shows a row which counts its changes."""
IfMatch = Annotated[str | None, Depends(_if_match)]
"""Endpoint parameter of a change that another service makes: the condition as it came."""
WantedVersions = Annotated[frozenset[int] | None, Depends(_wanted_versions)]
"""Endpoint parameter of a change: the versions of a row that `If-Match` lets it be made to; None for any."""


def _versions(tags: Iterable[str]) -> Iterable[int]:
    """Yield the versions that strong tags tell of; the rest of a tag stands for how they were shown."""
    return (int(found[1]) for tag in tags if (found := _OF_VERSION.fullmatch(tag)))


def _tag_of(body: bytes | bytearray, media_type: str, version: int | None) -> str:
    digest = hashlib.sha256(media_type.encode() + b"\n" + body).hexdigest()[:32]
    return f'"{digest}"' if version is None else f'"{version}-{digest}"'
