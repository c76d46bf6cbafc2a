"""Services against clients that are slow, silent, many or wrong: real processes, asked in bytes."""

import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from itertools import cycle
from pathlib import Path

import pytest

from infra.local.probe import wait_until
from tests.raw_requests import ANSWERED, CHUNKED, REFUSED, get, post
from tests.services import running_storefront, say

HURRIED = """
import resource, sys
from producers.rest import limits
from producers.rest.__main__ import main
limits.HEAD_TIMEOUT_S = limits.BODY_TIMEOUT_S = limits.ANSWER_TIMEOUT_S = 1.0
limits.BODY_GRACE_S = limits.LINGER_S = 0.5
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
sys.exit(main())
"""
"""A storefront with the same limits, only shorter, and with few descriptors."""
SHORT = """
import resource, sys
from producers.rest import limits
from producers.rest.__main__ import main
limits.max_connections = lambda: 1000
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
sys.exit(main())
"""
"""A storefront that others leave fewer descriptors than it counts on."""
SILENT = 300
BOUND_S = 15.0
HEALTH = get(b"/health")
FUZZ_SEED, FUZZ_REQUESTS = 20_261_127, 600


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Port and log of a storefront in a hurry."""
    path = tmp_path_factory.mktemp("storefront") / "log"
    with (
        path.open("w") as errors,
        running_storefront(("-c", HURRIED, "storefront"), errors) as (_, port),
    ):
        yield port, path


def answer_of(said: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an answer."""
    head, _, body = said.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    version, status, _ = line.split(" ", 2)
    assert version == "HTTP/1.1"
    headers = dict(field.split(": ", 1) for field in fields)
    return int(status), {name.lower(): value for name, value in headers.items()}, body


def assert_refused(said: bytes, status: int) -> None:
    """Assert that an answer is a problem after which the connection ends."""
    told, headers, body = answer_of(said)
    assert told == status
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"].lower() == "close"
    assert parsedate_to_datetime(headers["date"]).year > 2000
    assert int(headers["content-length"]) == len(body)
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["correlation_id"] == headers["x-correlation-id"]
    assert ("allow" in headers) == (status == 405)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_a_problem_and_the_end(service: tuple[int, Path], name: str) -> None:
    request, status = REFUSED[name]
    assert_refused(say(service[0], request), status)


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_only_unusual_is_answered(service: tuple[int, Path], name: str) -> None:
    request, status = ANSWERED[name]
    told, headers, body = answer_of(say(service[0], request))
    assert told == status
    assert bool(body) == (not request.startswith((b"HEAD", b"OPTIONS")))
    if request.startswith(b"HEAD"):
        assert int(headers["content-length"]) > 0


def test_methods_of_a_path_are_told(service: tuple[int, Path]) -> None:
    for path, methods in (
        (b"/health", "GET, HEAD, OPTIONS"),
        (b"/v1/orders", "OPTIONS, POST"),
        (b"/orders", "GET, HEAD, OPTIONS, POST"),  # on a route for each
    ):
        for method in (b"OPTIONS", b"PATCH"):
            _, headers, _ = answer_of(say(service[0], get(path, method=method)))
            assert headers["allow"] == methods


def test_requests_in_a_row_are_answered_up_to_the_one_that_is_none(
    service: tuple[int, Path],
) -> None:
    good = HEALTH.replace(b"connection: close\r\n", b"")
    said = say(service[0], good * 50 + b"nonsense\r\n\r\n" + good)
    assert said.count(b"HTTP/1.1 200 ") == 50
    assert_refused(said[said.rindex(b"HTTP/1.1 ") :], 400)


def test_an_answer_under_way_is_not_broken_by_what_follows(service: tuple[int, Path]) -> None:
    asked = get(b"/health", CHUNKED).replace(b"connection: close\r\n", b"") + b"no chunk\r\n"
    told, _, body = answer_of(say(service[0], asked))
    assert told in {200, 400}
    assert json.loads(body)


def test_who_has_said_all_is_still_answered(service: tuple[int, Path]) -> None:
    with socket.create_connection(("127.0.0.1", service[0]), timeout=BOUND_S) as connection:
        connection.sendall(HEALTH)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_slow_and_silent_clients_go_and_others_are_answered(service: tuple[int, Path]) -> None:
    port, log = service
    with ExitStack() as stack:

        def connect(first: bytes = b"") -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", port), timeout=BOUND_S)
            connection.sendall(first)
            return stack.enter_context(connection)

        silent = [connect() for _ in range(SILENT)]
        long_body = b"content-length: 1000\r\n"
        trickling: dict[socket.socket, Callable[[], bytes]] = {
            connect(): bytes_of(b"GET /" + b"x" * 1000),
            connect(HEALTH[:-2]): bytes_of(b"x: y\r\n" * 1000),
            connect(post(long_body, body=b"")): bytes_of(b" "),
            connect(get(b"/health", long_body)): bytes_of(b" "),
            connect(post(CHUNKED, body=b"")): bytes_of(b"1\r\n \r\n"),
            connect(): lambda: get(b"/openapi.json").replace(b"connection: close\r\n", b"") * 100,
        }
        waiting = [connect(first) for first in (HEALTH[:9], post(long_body, body=b""))]
        for connection in trickling:
            connection.setblocking(False)
        deadline = time.monotonic() + BOUND_S
        while trickling and time.monotonic() < deadline:
            assert say(port, HEALTH, timeout_s=BOUND_S).startswith(b"HTTP/1.1 200 ")
            trickling = {c: more for c, more in trickling.items() if takes(c, more())}
        assert not trickling
        assert [connection.recv(1) for connection in silent] == [b""] * SILENT
        for connection in waiting:
            said = b"".join(iter(lambda: connection.recv(65536), b""))  # noqa: B023
            assert_refused_or_408(said)
    assert "Traceback" not in log.read_text()


def bytes_of(text: bytes) -> Callable[[], bytes]:
    """Return a function that gives one byte after the other, again and again."""
    following = cycle(text)
    return lambda: bytes([next(following)])


def takes(connection: socket.socket, more: bytes) -> bool:
    """Return whether the other side takes more; nothing is ever read."""
    try:
        connection.send(more)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def assert_refused_or_408(said: bytes) -> None:
    told, headers, _ = answer_of(said)
    assert told == 408
    assert headers["content-type"] == "application/problem+json"


def mutated(chance: random.Random) -> bytes:
    """Return a request that was taken apart, and put together in another way."""
    known = [request for request, _ in (REFUSED | ANSWERED).values() if len(request) < 2000]
    request = bytearray(chance.choice(known))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(request) + 1)
        match chance.randrange(6):
            case 0:
                request[at:at] = chance.randbytes(chance.randint(1, 8))
            case 1:
                del request[at : at + chance.randint(1, 12)]
            case 2:
                other = chance.choice(known)
                begin = chance.randrange(len(other))
                request[at:at] = other[begin : begin + chance.randint(1, 60)]
            case 3:
                request[at:at] = chance.choice([b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"\t"])
            case 4:
                request[at : at + 1] = request[at : at + 1] * chance.randint(2, 300)
            case 5:
                request += chance.choice(known)
    return bytes(request)


def test_nonsense_is_answered_or_hung_up_on_and_leaves_the_service_well(
    service: tuple[int, Path],
) -> None:
    port, log = service
    chance = random.Random(FUZZ_SEED)  # noqa: S311 - to be repeated, not to be a secret
    requests = [mutated(chance) for _ in range(FUZZ_REQUESTS)]

    def tell(number: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=BOUND_S) as connection:
            try:
                connection.sendall(requests[number])
                if number % 20:  # the others leave it to the service to end it
                    connection.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: connection.recv(65536), b""))
            except ConnectionError:
                return b""

    with ThreadPoolExecutor(16) as pool:
        for number, said in enumerate(pool.map(tell, range(FUZZ_REQUESTS))):
            if said.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"):
                told, _, _ = answer_of(said.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"))
                assert told in {*range(200, 500), 501, 503, 505}, requests[number]
    assert say(port, HEALTH).startswith(b"HTTP/1.1 200 ")
    assert "Traceback" not in log.read_text()
    assert "level=error" not in log.read_text()


def test_a_flood_of_nonsense_is_few_lines(service: tuple[int, Path]) -> None:
    port, log = service
    before = len(log.read_bytes())
    for _ in range(300):
        say(port, b"nonsense\r\n\r\n")
    refused = log.read_bytes()[before:].count(b"event=refused")
    assert refused <= 100


def test_without_descriptors_clients_are_hung_up_on_and_the_service_recovers(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    with (
        log.open("w") as errors,
        running_storefront(("-c", SHORT, "storefront"), errors) as (_, port),
    ):
        with ExitStack() as stack:
            clients = [
                stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=BOUND_S))
                for _ in range(60)
            ]
            # sooner than a connection that says nothing is given up
            assert clients[-1].recv(1) == b""
        wait_until("it does not recover", lambda: is_well(port), timeout_s=BOUND_S)
    assert len(log.read_text().splitlines()) < 20


def is_well(port: int) -> bool:
    try:
        return say(port, HEALTH, timeout_s=BOUND_S).startswith(b"HTTP/1.1 200 ")
    except ConnectionError:
        return False
