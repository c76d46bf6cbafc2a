"""What a client may take of a service: bytes, seconds and connections."""

import resource

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

MAX_ANSWERS_KEPT_H = 24 * 366  # for requests with a key, in hours

MAX_CONNECTIONS = 1000
KEPT_DESCRIPTORS = 32  # for the listener, logs and the pool of database connections


def max_connections() -> int:
    """Return how many connections a service holds at once: half of what its descriptors allow.

    The other half is for the connections that it opens itself, one for each request at most.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return min(MAX_CONNECTIONS, max(4, (descriptors - KEPT_DESCRIPTORS) // 2))
