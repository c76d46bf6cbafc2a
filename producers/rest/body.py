"""Request bodies: bounded in size and time, strict JSON, no form posts from other sites. Queries: each name once."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from email.message import Message as MimeHeader
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response

from producers.rest import limits, strict_json
from producers.rest.problems import ProblemError
from schemas.rest.problem import MALFORMED_BODY

FORM = "application/x-www-form-urlencoded"
CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
IDENTITY = "identity"
_JSON = {"accept": "application/json"}


class JsonRequest(Request):
    """A request whose body is read whole and as strict JSON."""

    async def body(self) -> bytes:
        """Return the body; one that is empty (400), too slow (408) or too large (413) is refused."""
        if not hasattr(self, "_body"):
            try:
                async with asyncio.timeout(limits.BODY_TIMEOUT_S):
                    self._body = await self._read()
            except TimeoutError:
                detail = f"the body did not arrive within {limits.BODY_TIMEOUT_S:g} seconds"
                raise ProblemError(408, f"{detail}; send it again") from None
        return self._body

    async def json(self) -> Any:
        try:
            return strict_json.loads(await self.body())
        except strict_json.MalformedJsonError as error:
            detail = f"the body cannot be read: {error}"
            raise ProblemError(400, detail, kind=MALFORMED_BODY) from None

    async def _read(self) -> bytes:
        body, declared = bytearray(), int(self.headers.get("content-length", 0))
        if declared > limits.MAX_BODY_BYTES:
            raise _too_large()
        async for chunk in self.stream():
            body += chunk
            if len(body) > limits.MAX_BODY_BYTES:
                raise _too_large()
        if not body:
            detail = "the body is empty; send a JSON object"
            raise ProblemError(400, detail, kind=MALFORMED_BODY)
        return bytes(body)


class JsonRoute(APIRoute):
    """A route that reads its body as `JsonRequest` does."""

    @property
    def takes_body(self) -> bool:
        return self.body_field is not None

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler, takes_body = super().get_route_handler(), self.takes_body
        reads_query = bool(self.dependant.query_params)

        async def handle(request: Request) -> Response:
            if reads_query:
                _require_readable_query(request.scope["query_string"])
            if takes_body:
                _require_json(request.headers)
                MutableHeaders(scope=request.scope)["content-type"] = "application/json"
            return await handler(JsonRequest(request.scope, request.receive))

        return handle


def _require_readable_query(query: bytes) -> None:
    """Refuse what would be read as other characters than were meant, or of which a part would be passed over."""
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        raise ProblemError(
            400, "the query is not UTF-8; percent-encode the bytes of its UTF-8 form"
        ) from None
    seen = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    if twice := [name for name, times in seen.items() if times > 1]:
        raise ProblemError(
            400, f"the query has {', '.join(twice)} more than once; send one value of each"
        )


def _too_large() -> ProblemError:
    return ProblemError(
        413, f"the body is larger than {limits.MAX_BODY_BYTES} bytes; send less at a time"
    )


def _require_json(headers: Headers) -> None:
    """Let JSON in UTF-8 through as it is, also in the disguise that `curl -d` gives it.

    A browser sends form and untyped posts across sites without asking; it always tells the origin then.
    """
    if {coding.strip().lower() for coding in headers.getlist("content-encoding")} - {IDENTITY}:
        raise ProblemError(
            415,
            "a compressed body is not taken here; send it without Content-Encoding",
            headers={"accept-encoding": IDENTITY},
        )
    content_type = headers.get("content-type")
    header = MimeHeader()
    header["content-type"] = content_type or ""
    if header.get_content_charset("utf-8").lower() not in CHARSETS:
        raise ProblemError(415, "JSON is taken in UTF-8 only", headers=_JSON)
    media_type = header.get_content_type()
    if re.fullmatch(r"application/(json|.*\+json)", media_type):
        return
    if "origin" not in headers and (content_type is None or media_type == FORM):
        return
    raise ProblemError(
        415,
        "only JSON is taken here; send it with the header `Content-Type: application/json`",
        headers=_JSON,
    )
