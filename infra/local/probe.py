"""Waiting for facts: one helper that polls a probe against a deadline, and the cheap probes it is used with."""

import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from infra.errors import TailraceError
from infra.patience import Patience
from infra.settings import HOST

POLL_INTERVAL_S = 0.05
SKEW_S = 5.0
"""How far a clock is put right at once without anybody noticing."""


class ProbeTimeoutError(TailraceError):
    """A probe did not become true in time."""


class CancelledError(TailraceError):
    """The wait was given up because another part of the same run has failed."""


def wait_until(
    what: str,
    probe: Callable[[], bool],
    *,
    timeout_s: float,
    interval_s: float = POLL_INTERVAL_S,
    cancelled: threading.Event | None = None,
) -> float:
    """Call `probe` until it returns True, and return the seconds that took.

    Args:
        what: completes the sentence "After 30 s ...", e.g. "kafka does not answer".
        probe: cheap and free of side effects; what it raises ends the wait.
        timeout_s: on a machine that has the time for it; see `Patience`.
        cancelled: gives the wait up as soon as it is set.
    """
    pause = cancelled or threading.Event()
    begin, patience = time.monotonic(), Patience()
    while not probe():
        if patience.look() > timeout_s:
            raise ProbeTimeoutError(f"After {time.monotonic() - begin:.0f} s {what}.")
        if pause.wait(interval_s):
            raise CancelledError(f"Gave up waiting: {what}.")
    return time.monotonic() - begin


def port_answers(port: int, timeout_s: float = 0.5) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def port_is_free(port: int) -> bool:
    """Tell whether a server of ours could listen on the port now.

    Both questions are needed: on macOS a bind succeeds beside a stranger who listens on all
    addresses, and on Linux a connection can fail although the port is bound.
    """
    if port_answers(port):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def touched_lately(path: Path, *, within_s: float) -> bool:
    """Tell whether a file was touched within that time.

    One of the future tells that the clock was set back since, and nothing of how long ago it was touched.
    """
    try:
        age_s = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return False
    return -SKEW_S <= age_s < within_s


def http_ok(port: int, path: str, timeout_s: float = 1.0) -> bool:
    """Tell whether a GET of the path is answered with 200."""
    return http_status(port, path, timeout_s) == HTTPStatus.OK


def http_status(port: int, path: str, timeout_s: float = 1.0) -> int | None:
    """Return the status that a GET of the path is answered with; None when it is not.

    It is asked many times a second while everything starts, and building a client of an HTTP
    library costs more processor time than the question, hence the plain connection.
    """
    connection = HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
