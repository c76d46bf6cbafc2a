"""Waiting for facts: one helper that polls a probe against a deadline, and the cheap probes it is used with."""

import os
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

from infra.errors import TailraceError
from infra.settings import HOST

POLL_INTERVAL_S = 0.05


class Patience:
    """Time as a process has it on this machine: a second counts for less while more want to run than can.

    How long something takes to start says little about whether it will, on a machine that is busy with other things.
    What hangs leaves it idle, and is given up after the full time.
    """

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._looked_at = time.monotonic()

    def look(self) -> float:
        """Return the seconds spent so far; to be asked again and again."""
        now = time.monotonic()
        self.spent_s += (now - self._looked_at) * _share_of_a_processor()
        self._looked_at = now
        return self.spent_s


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


def _share_of_a_processor() -> float:
    """Return how much of a processor there is for each of those that want to run, at most all of one."""
    try:
        busy, _, _ = os.getloadavg()
    except OSError:  # not told by this system
        return 1.0
    return min(1.0, (os.cpu_count() or 1) / max(1.0, busy))


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


def http_ok(port: int, path: str, timeout_s: float = 1.0) -> bool:
    """Tell whether a GET of the path is answered with 200.

    It is asked many times a second while everything starts, and building a client of an HTTP
    library costs more processor time than the question, hence the plain connection.
    """
    connection = HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
