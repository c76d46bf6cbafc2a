"""What a client may take of a service: bytes, seconds and connections."""

import resource
from typing import Annotated

from pydantic import BaseModel, Field

MAX_REQUEST_LINE_BYTES = 8 * 1024
MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 1024 * 1024

HEAD_TIMEOUT_S = 10.0
"""From the connection, or the answer before, to the end of a request's head. An idle connection goes after 5 s."""
BODY_TIMEOUT_S = 10.0
BODY_GRACE_S = 5.0
"""How much longer a body that nobody reads any more may take before the connection is cut."""
ANSWER_TIMEOUT_S = 10.0  # how long a client may take nothing of an answer that waits for it
HALF_CLOSED_S = 0.25
"""How often it is found out whether a client is there that has said all; most are answered before."""
LINGER_S = 2.0
"""How long a connection stays after the last answer, for a client that is still sending to read it."""

MAX_CONNECTIONS = 1000
KEPT_DESCRIPTORS = 32  # for the listener, logs and the pool of database connections


class RequestLimits(BaseModel):
    """How long requests to a service may take, and how many it is at once at."""

    # time of a request that does not say how long it is waited for
    request_timeout_ms: Annotated[int, Field(ge=10, le=600_000)] = 10_000
    # time of a request at most, whatever it says
    request_timeout_max_ms: Annotated[int, Field(ge=10, le=3_600_000)] = 60_000
    # requests that are served at once; what comes on top is refused
    requests_in_flight: Annotated[int, Field(ge=1, le=100_000)] = 512
    # streams of events that are open at once; fewer where they would take more than half of the connections
    streams_open: Annotated[int, Field(ge=1, le=100_000)] = 500
    # requests that were answered well are logged when they took at least this long; with 0 all of them are
    log_requests_ms: Annotated[int, Field(ge=0)] = 1_000


class AnswerLimits(BaseModel):
    """How long a service with a database keeps its answers."""

    # how long an answer can be had again under its `Idempotency-Key`, in hours: for longer than any client tries
    answers_kept_h: Annotated[int, Field(ge=1, le=24 * 366)] = 24


def max_connections() -> int:
    """Return how many connections a service holds at once: half of what its descriptors allow.

    The other half is for the connections that it opens itself, one for each request at most.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return min(MAX_CONNECTIONS, max(4, (descriptors - KEPT_DESCRIPTORS) // 2))
