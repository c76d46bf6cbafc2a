"""Health endpoints of a relay against clients that are silent, slow or many: a real server, asked in bytes."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cdc import health
from cdc.relay.health import serving
from cdc.relay.relay import RelayStatus
from tests.raw_requests import get
from tests.services import say

PROBE = get(b"/health")
MANY = 400
BOUND_S = 10.0


@pytest.fixture
def condition() -> RelayStatus:
    return RelayStatus("relay-1", problem=None)


@pytest.fixture
def port(condition: RelayStatus) -> Iterator[int]:
    with serving([condition], "127.0.0.1", 0) as bound:
        yield bound


def test_a_probe_is_told_status_and_details(port: int, condition: RelayStatus) -> None:
    head, _, body = say(port, PROBE).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["holder"] == "relay-1"
    condition.problem = "no database"
    assert say(port, PROBE).startswith(b"HTTP/1.1 503 ")


def test_head_is_answered_without_a_body(port: int) -> None:
    head, _, body = say(port, get(b"/health", method=b"HEAD")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: 0" not in head.lower()
    assert body == b""


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get(b"/nothing"), 404),
        (get(b"/health", method=b"DELETE"), 405),
        (b"nonsense\r\n\r\n", 400),
        (get(b"/health", b"x: " + b"x" * 20_000 + b"\r\n"), 400),
    ],
)
def test_anything_else_is_refused(port: int, request_: bytes, status: int) -> None:
    assert say(port, request_).split(b" ")[1] == b"%d" % status


def test_connections_are_few_and_short_and_a_probe_is_answered_meanwhile(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LIFETIME_S", 2.0)
    begun = (b"", b"GET /hea", get(b"/health", b"content-length: 1000\r\n", method=b"POST"))
    with ExitStack() as stack:
        waiting = []
        for number in range(MANY):
            connection = socket.create_connection(("127.0.0.1", port), timeout=BOUND_S)
            waiting.append(stack.enter_context(connection))
            connection.sendall(begun[number % len(begun)])
        since = time.monotonic()
        assert say(port, PROBE, timeout_s=BOUND_S).startswith(b"HTTP/1.1 200 ")
        assert time.monotonic() - since < BOUND_S / 2
        assert all(is_closed(connection) for connection in waiting)


def test_the_oldest_connection_goes_when_there_are_too_many(
    condition: RelayStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LIFETIME_S", 10 * BOUND_S)
    with serving([condition], "127.0.0.1", 0) as port, ExitStack() as stack:
        first, *others = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=BOUND_S))
            for _ in range(health.MAX_CONNECTIONS + 1)
        ]
        assert is_closed(first)
        others[-1].sendall(PROBE)
        assert others[-1].recv(65536).startswith(b"HTTP/1.1 200 ")


def is_closed(connection: socket.socket) -> bool:
    """Return whether the other side closes the connection, after it said what it had to say."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return True
    return True
