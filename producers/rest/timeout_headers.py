"""What a caller says of its patience: how long it waits for the answer, and whether it repeats what fails.

Time travels as what remains of it, since the clocks of two machines need not agree.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar

from producers.rest.problems import ProblemError
from schemas.rest.problem import MALFORMED_HEADER

TIMEOUT = "request-timeout-ms"
RETRIES = "request-retries"
NONE = "none"
"""Value of that header: the caller repeats by itself, and whoever is asked on its behalf repeats nothing."""

MOST_RESERVE_S = 0.02
"""Kept back from what is given on, to hear of its end and to answer: some times what that takes on a busy machine."""
RESERVED_SHARE = 0.1  # of a budget that is so short that this is less

_MS = re.compile(rb"[0-9]{1,19}")
_GRPC = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNITS_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}

retries_allowed: ContextVar[bool] = ContextVar("retries_allowed", default=True)
"""Whether what fails may be repeated here; not where the caller does so by itself."""


def budget_s(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Return the seconds for which the caller waits, the fewest if it says so several times; None if it does not.

    Args:
        headers: Names, in lower case, and values.

    Raises:
        ProblemError: our own header says something else than milliseconds. Whoever wrote it would be served by
            another budget than it believes. The headers of others are passed over then: a proxy set them.
    """
    said = [
        seconds
        for name, value in headers
        if (read := _READERS.get(name))
        for part in value.split(b",")
        if (seconds := read(part.strip())) is not None
    ]
    return min(said, default=None)


def repeats_itself(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether the caller asks that nothing be repeated on its behalf."""
    return any(
        name == RETRIES.encode() and value.strip().lower() == NONE.encode()
        for name, value in headers
    )


def without_reserve(remaining_s: float) -> float:
    """Return what may be given on of the seconds that remain."""
    return remaining_s - min(MOST_RESERVE_S, max(remaining_s, 0) * RESERVED_SHARE)


def patience_headers(remaining_s: float, *, repeats: bool) -> Iterator[tuple[str, str]]:
    """Yield the headers that tell a service how long its answer is waited for."""
    yield TIMEOUT, str(max(1, int(without_reserve(remaining_s) * 1000)))
    if repeats:
        yield RETRIES, NONE


def _own(value: bytes) -> float | None:
    if not _MS.fullmatch(value):
        raise ProblemError(
            400,
            "Request-Timeout-Ms is no number of milliseconds; send digits alone, such as 1500, or leave it out",
            kind=MALFORMED_HEADER,
        )
    return int(value) / 1000


def _envoy(value: bytes) -> float | None:
    # there, 0 means that no time is set
    return int(value) / 1000 or None if _MS.fullmatch(value) else None


def _grpc(value: bytes) -> float | None:
    match = _GRPC.fullmatch(value)
    return int(match[1]) * _UNITS_S[match[2]] if match else None


_READERS: Mapping[bytes, Callable[[bytes], float | None]] = {
    TIMEOUT.encode(): _own,
    b"x-envoy-expected-rq-timeout-ms": _envoy,
    b"grpc-timeout": _grpc,
}
