"""Waiting for the connector: the time is whose clock is handed in, so that a busy machine may take longer."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import ClassVar

import pytest

from cdc import connector
from cdc.connector import ConnectError

LOOKS = 5
LOST = "http://127.0.0.1:1"
TASK = {"state": "RUNNING", "worker_id": "127.0.0.1:8083"}


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

    with serving(Handler) as url:
        yield url


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Worker(BaseHTTPRequestHandler):
    """A worker of Connect that misses its leader for the first requests that are for that one to carry out."""

    asked: ClassVar[list[str]] = []
    alone_for = 2

    def do_GET(self) -> None:
        self.answer(200, {"connector": {"state": "RUNNING"}, "tasks": [TASK]})

    def do_POST(self) -> None:
        self.asked.append(self.path)
        if len(self.asked) > self.alone_for:
            self.answer(202, {})
        else:
            told = "IO Error trying to forward REST request: Connection refused"
            self.answer(500, {"error_code": 500, "message": told})

    def answer(self, status: int, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Say nothing."""


def test_another_worker_answers_when_one_is_lost() -> None:
    with serving(Worker) as url:
        found = connector.status(f"{LOST},{url}", "outbox")
        assert (found.is_running, found.worker) == (True, TASK["worker_id"])
        assert connector.status(f"{url},{LOST}", "outbox").is_running
        connector.restart(f"{LOST},{url}", "outbox")  # which the lost one was to carry out
    assert len(Worker.asked) == Worker.alone_for + 1
    with pytest.raises(ConnectError, match=f"Kafka Connect at {LOST},{LOST} cannot be asked"):
        connector.status(f"{LOST},{LOST}", "outbox")


def test_it_is_waited_for_as_long_as_the_clock_stands_still() -> None:
    with connect(LOOKS) as url:
        connector.wait_until_running(url, "outbox", 0.01, lambda: 0.0)


def test_it_is_given_up_when_the_clock_says_so() -> None:
    seconds = count()
    with connect(LOOKS) as url, pytest.raises(ConnectError, match="is not running after 2 s"):
        connector.wait_until_running(url, "outbox", 2, lambda: float(next(seconds)))
