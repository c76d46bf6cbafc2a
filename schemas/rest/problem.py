"""Errors as clients see them: problem details for HTTP APIs (RFC 9457)."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"


class ProblemType(StrEnum):
    """Kinds of problems to branch on; `about:blank` says no more than the status does."""

    BLANK = "about:blank"
    MALFORMED_BODY = "urn:tailrace:problem:malformed-body"
    INVALID_REQUEST = "urn:tailrace:problem:invalid-request"
    ORDER_NOT_FOUND = "urn:tailrace:problem:order-not-found"
    BAD_GATEWAY = "urn:tailrace:problem:bad-gateway"
    UNAVAILABLE = "urn:tailrace:problem:unavailable"
    TOO_SLOW = "urn:tailrace:problem:too-slow"


TITLES = {
    ProblemType.MALFORMED_BODY: "The body is not readable JSON",
    ProblemType.INVALID_REQUEST: "The request breaks the contract",
    ProblemType.ORDER_NOT_FOUND: "No such order",
    ProblemType.BAD_GATEWAY: "A service behind this one gave no usable answer",
    ProblemType.UNAVAILABLE: "Out of service for the moment",
    ProblemType.TOO_SLOW: "The answer took too long",
}


class FieldError(BaseModel):
    """One thing that is wrong with the body."""

    model_config = ConfigDict(frozen=True)

    pointer: Annotated[str, Field(examples=["#/lines/0/quantity"])]
    """JSON Pointer (RFC 6901) in its URI fragment form."""
    detail: str


class Problem(BaseModel):
    """Body of every answer with a status of 400 or more."""

    model_config = ConfigDict(frozen=True)

    type: str = ProblemType.BLANK.value
    title: str
    status: int
    detail: str
    instance: str | None = None
    correlation_id: str | None = None
    errors: tuple[FieldError, ...] | None = None
