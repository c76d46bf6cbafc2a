"""Errors as clients see them: problem details for HTTP APIs (RFC 9457)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem that programs branch on.

    Args:
        name: Its name, which no other kind has.
        title: What it is, in a few words that are the same each time.
    """

    name: str
    title: str

    @property
    def uri(self) -> str:
        """What a problem of this kind says in `type`."""
        return f"urn:tailrace:problem:{self.name}"


BLANK = "about:blank"
"""Type of a problem that says no more than its status does."""
MALFORMED_HEADER = ProblemType("malformed-header", "A header of the request cannot be understood")
MALFORMED_BODY = ProblemType("malformed-body", "The body is not readable JSON")
INVALID_REQUEST = ProblemType("invalid-request", "The request breaks the contract")
BAD_GATEWAY = ProblemType("bad-gateway", "A service behind this one gave no usable answer")
UNAVAILABLE = ProblemType("unavailable", "Out of service for the moment")
TOO_SLOW = ProblemType("too-slow", "The answer took too long")
MALFORMED_KEY = ProblemType("malformed-idempotency-key", "Idempotency-Key is malformed")
KEY_REUSED = ProblemType("idempotency-key-reused", "Idempotency-Key is already used")
REQUEST_OUTSTANDING = ProblemType(
    "request-outstanding", "A request is outstanding for this Idempotency-Key"
)
DEADLINE_EXCEEDED = ProblemType(
    "deadline-exceeded", "The time for the request was over before it was begun"
)
CHANGED_MEANWHILE = ProblemType("changed-meanwhile", "It has changed since it was looked at")
FOREIGN_CURSOR = ProblemType("foreign-cursor", "The cursor is none of this list")
UNAUTHENTICATED = ProblemType("unauthenticated", "No credentials that are good here")
INSUFFICIENT_SCOPE = ProblemType("insufficient-scope", "The credentials do not allow this")
RATE_LIMITED = ProblemType("rate-limited", "Too many requests of one client")

SHARED = (
    MALFORMED_HEADER,
    MALFORMED_BODY,
    INVALID_REQUEST,
    BAD_GATEWAY,
    UNAVAILABLE,
    TOO_SLOW,
    MALFORMED_KEY,
    KEY_REUSED,
    REQUEST_OUTSTANDING,
    DEADLINE_EXCEEDED,
    CHANGED_MEANWHILE,
    FOREIGN_CURSOR,
    UNAUTHENTICATED,
    INSUFFICIENT_SCOPE,
    RATE_LIMITED,
)
"""Kinds that every service may answer with, beside those that its API declares."""


def require_distinct(kinds: Iterable[ProblemType]) -> None:
    """Refuse kinds that a client could not tell apart.

    Raises:
        ValueError: one is declared twice, or beside the shared ones.
    """
    for name, count in Counter(kind.name for kind in (*SHARED, *kinds)).items():
        if count > 1:
            raise ValueError(f"the problem {name} is declared {count} times: name each once")


class FieldError(BaseModel):
    """One thing that is wrong with the body."""

    model_config = ConfigDict(frozen=True)

    pointer: Annotated[str, Field(examples=["#/lines/0/quantity"])]
    """JSON Pointer (RFC 6901) in its URI fragment form."""
    detail: str


class Problem(BaseModel):
    """Body of every answer with a status of 400 or more."""

    model_config = ConfigDict(frozen=True)

    type: str = BLANK
    title: str
    status: int
    detail: str
    instance: str | None = None
    correlation_id: str | None = None
    errors: tuple[FieldError, ...] | None = None


_EXAMPLES: dict[int | str, tuple[ProblemType | None, str]] = {
    "default": (None, "internal error; the log of the service has more under the correlation id"),
    400: (MALFORMED_BODY, "the body cannot be read: Expecting value (line 1, column 1)"),
    401: (
        UNAUTHENTICATED,
        "there are no credentials; send an API key as `Authorization: Bearer trk_...`",
    ),
    403: (
        INSUFFICIENT_SCOPE,
        "this takes the scope orders:write, which the credentials do not have",
    ),
    404: (None, "there is nothing there"),
    406: (
        None,
        "nothing that Accept asks for can be had here; ask for application/json, or choose a version by the path",
    ),
    408: (None, "the body did not arrive within 10 seconds; send it again"),
    409: (
        REQUEST_OUTSTANDING,
        "another request with this Idempotency-Key is at work; try again in a moment",
    ),
    410: (None, "what was there was kept for its time, and is gone"),
    412: (
        CHANGED_MEANWHILE,
        "it is no longer as If-Match has it; nothing was done, look at it again and decide anew",
    ),
    413: (None, "the body is larger than 1048576 bytes; send less at a time"),
    415: (
        None,
        "only JSON is taken here; send it with the header `Content-Type: application/json`",
    ),
    422: (
        INVALID_REQUEST,
        "the body breaks the contract in one place; see errors, correct them and send it again",
    ),
    429: (RATE_LIMITED, "this client has sent more requests than it may; try again in 2 seconds"),
    502: (BAD_GATEWAY, "the orders service broke off in mid-answer"),
    503: (UNAVAILABLE, "the database cannot be reached; nothing was done, try again"),
    504: (
        DEADLINE_EXCEEDED,
        "the time for the request is over; nothing was done, try again or give it more time",
    ),
}


def example(status: int | str) -> dict[str, Any]:
    """Return what a problem with a status may look like, for readers of the API description."""
    kind, detail = _EXAMPLES[status]
    number = status if isinstance(status, int) else 500
    problem = Problem(
        type=kind.uri if kind else BLANK,
        title=kind.title if kind else HTTPStatus(number).phrase,
        status=number,
        detail=detail,
        correlation_id="01a20999-13c2-7477-bc0d-7ecf0b47d38d",
        errors=_ERRORS if status == HTTPStatus.UNPROCESSABLE_ENTITY else None,
    )
    return problem.model_dump(mode="json", exclude_none=True)


_ERRORS = (
    FieldError(pointer="#/lines/0/quantity", detail="Input should be greater than or equal to 1"),
)
