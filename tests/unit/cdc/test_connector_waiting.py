"""Waiting for the connector: the time is whose clock is handed in, so that a busy machine may take longer."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from cdc import connector
from cdc.connector import ConnectError

LOOKS = 5


@contextmanager
def connect(runs_after: int) -> Iterator[str]:
    """Answer as Kafka Connect does whose connector has a task only when it was asked for that many times."""
    asked = count()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tasks = [{"state": "RUNNING"}] if next(asked) >= runs_after else []
            body = json.dumps({"connector": {"state": "RUNNING"}, "tasks": tasks}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_it_is_waited_for_as_long_as_the_clock_stands_still() -> None:
    with connect(LOOKS) as url:
        connector.wait_until_running(url, "outbox", 0.01, lambda: 0.0)


def test_it_is_given_up_when_the_clock_says_so() -> None:
    seconds = count()
    with connect(LOOKS) as url, pytest.raises(ConnectError, match="is not running after 2 s"):
        connector.wait_until_running(url, "outbox", 2, lambda: float(next(seconds)))
