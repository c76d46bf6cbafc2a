"""Errors as clients see them: problem details for HTTP APIs (RFC 9457)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

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
