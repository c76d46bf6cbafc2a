"""The way to supervisord: its socket, on which an answer is not waited for without end."""

import socket
from pathlib import Path

from supervisor.xmlrpc import SupervisorTransport, UnixStreamHTTPConnection

ANSWER_S = 10.0
"""It answers within milliseconds, whatever its programs do; a machine with too much to do may take seconds."""

UNANSWERED = (TimeoutError, BlockingIOError)
"""What is raised when it does not answer in time; the second when as many wait already as may."""


class Transport(SupervisorTransport):  # type: ignore[misc]
    """A connection of its own for each question."""

    def __init__(self, path: Path) -> None:
        super().__init__(None, None, f"unix://{path}")
        self._get_connection = lambda: _Connection(path)


class _Connection(UnixStreamHTTPConnection):  # type: ignore[misc]
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
