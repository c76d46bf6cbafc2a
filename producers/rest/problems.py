"""Every error as problem+json (RFC 9457): the exception to raise and the handlers that answer."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from schemas.rest.problem import (
    BLANK,
    INVALID_REQUEST,
    MEDIA_TYPE,
    UNAVAILABLE,
    FieldError,
    Problem,
    ProblemType,
    example,
)

MAX_ERRORS = 100
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
DESCRIPTIONS: dict[int | str, str] = {
    "default": "Any other problem (RFC 9457).",
    400: "The body is not readable JSON, or a header, the query or a cursor cannot be understood.",
    401: "Who calls is not known: there are no credentials, or none that are good here.",
    403: "The credentials do not allow this; `detail` names the scope that it takes.",
    404: "There is no such thing.",
    406: "`Accept` asks for nothing that can be had here.",
    408: "The body did not arrive in time.",
    409: "It contradicts what is there; `type` says how.",
    410: "It was there, and is gone for good.",
    412: "It is no longer as `If-Match` has it.",
    413: "The body is too large.",
    415: "The body is not JSON, or of another version.",
    422: "The body breaks the contract, and `errors` says where; or the key was sent with another request.",
    429: "This client has sent too many requests; `Retry-After` says when to send the next.",
    502: "A service behind this one gave no usable answer; whether it acted on the request is unknown.",
    503: "Out of service for the moment; `Retry-After` says when to try again.",
    504: "The time for the request is over; `type` says whether nothing was done, or that is unknown.",
}
"""What each status means to a client."""


class ProblemError(HTTPException):
    """Ends the request with a problem.

    Args:
        detail: One sentence: what happened, why, what to do next.
        kind: Kind that programs branch on; nothing where the status says it all.
        correlation_id: That of the request which was answered so before; this request's where nothing is given.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: ProblemType | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.kind = kind
        self.correlation_id = correlation_id
        self.errors = tuple(errors)


def answers(*statuses: int | str) -> dict[int | str, dict[str, Any]]:
    """Return what the API description says about answers with these statuses, each of them a problem."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": DESCRIPTIONS[status],
            "content": {MEDIA_TYPE: {"schema": schema, "example": example(status)}},
        }
        for status in statuses
    }


REFUSALS = answers(400, 408, 413, 415, 422)
"""What the API description says about a body that is not taken."""


def unavailable(detail: str, *, retry_after_s: int = 1) -> ProblemError:
    """Return a 503: nothing was done, and the same request may succeed in a moment."""
    headers = {"retry-after": str(retry_after_s)}
    return ProblemError(503, detail, kind=UNAVAILABLE, headers=headers)


def response_of(error: HTTPException, request: Request) -> Response:
    kind = error.kind if isinstance(error, ProblemError) else None
    before = error.correlation_id if isinstance(error, ProblemError) else None
    context = request.scope.get("state", {}).get("context")
    problem = Problem(
        type=kind.uri if kind else BLANK,
        title=kind.title if kind else HTTPStatus(error.status_code).phrase,
        status=error.status_code,
        detail=error.detail,
        instance=quote(request.scope["path"]),
        correlation_id=before or (str(context.correlation_id) if context else None),
        errors=error.errors or None if isinstance(error, ProblemError) else None,
    )
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=error.status_code,
        headers=error.headers,
        media_type=MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Have the application answer its own and the framework's errors with problems."""

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED or request.scope["path"] == "*":
            error.headers = {"allow": ", ".join(sorted(_allowed(request)))}
            if request.method == "OPTIONS":
                return Response(status_code=HTTPStatus.NO_CONTENT, headers=error.headers)
        return response_of(_explained(error, request), request)

    @app.exception_handler(RequestValidationError)
    async def on_invalid_request(request: Request, error: RequestValidationError) -> Response:
        return response_of(invalid_request(error.errors(), request.scope["path"]), request)


def invalid_request(errors: Sequence[Mapping[str, Any]], path: str) -> ProblemError:
    """Return the problem that a failed validation is.

    Args:
        errors: Pydantic's errors, their locations beginning with `body`, `query` or `path`.
        path: Path of the request. One that cannot name anything is answered like one that names nothing.
    """
    if any(error["loc"][0] == "path" for error in errors):
        return ProblemError(404, f"there is nothing at {quote(path)}")
    named = [
        FieldError(pointer=pointer(error["loc"][1:]), detail=error["msg"])
        for error in errors[:MAX_ERRORS]
    ]
    places = "one place" if len(errors) == 1 else f"{len(errors)} places"
    part = "query" if errors[0]["loc"][0] == "query" else "body"
    return ProblemError(
        422,
        f"the {part} breaks the contract in {places}; see errors, correct them and send it again",
        kind=INVALID_REQUEST,
        errors=named,
    )


def pointer(location: Sequence[int | str]) -> str:
    """Return a location as a JSON Pointer in its URI fragment form, such as `#/lines/0/sku`."""
    tokens = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "#" + "".join("/" + quote(token, safe="~", errors="surrogatepass") for token in tokens)


def _allowed(request: Request) -> set[str]:
    """Return the methods of a path, on whichever routes they are; those of any path for the `*` of OPTIONS."""
    routes, scope = request.app.router.routes, request.scope
    found = {"GET", "POST"} if scope["path"] == "*" else set[str]()
    for method in _METHODS:
        asked = {**scope, "method": method}
        if any(route.matches(asked)[0] is Match.FULL for route in routes):
            found.add(method)
    return found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())


def _explained(error: HTTPException, request: Request) -> HTTPException:
    """Say more than the status phrase where the framework raised the error."""
    if isinstance(error, ProblemError):
        return error
    path = quote(request.scope["path"])
    details = {
        404: f"there is nothing at {path}",
        405: f"{request.method} is not possible at {path}; the Allow header says what is",
    }
    error.detail = details.get(error.status_code, error.detail)
    return error
