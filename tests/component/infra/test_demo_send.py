"""Sending one order to servers that misbehave: what is sent again, what is not, and what is made of it."""

import asyncio
import contextlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import httpx2
import pytest

from infra.demo.asking import Asker
from infra.demo.orders import DemoError, Line, NewOrder
from infra.demo.send import Answer, Refused, Sender, Unknown, Unsent, open_client
from schemas.rest.orders.v2 import Order
from schemas.rest.problem import REQUEST_OUTSTANDING

ORDER = NewOrder(
    place="line 2",
    rows=1,
    customer_id="ädä",
    currency="EUR",
    lines=(Line("tea", 2, Decimal("4.50")),),
    total=Decimal("9.00"),
)
PLACED = {
    "order_id": "01a20999-13c2-7477-bc0d-7ecf0b47d38d",
    "status": "pending",
    "customer_id": "ada",
    "currency": "EUR",
    "lines": [],
    "net": "9.00",
    "tax": "0.00",
    "total": "9.00",
    "placed_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "version": 1,
}
PROBLEM = {
    "title": "t",
    "status": 422,
    "detail": "d",
    "errors": [{"pointer": "#/x", "detail": "no"}],
}


def http(status: int, body: object, **headers: str) -> bytes:
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} x", f"content-length: {len(content)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


HEALTHY = http(200, {})


def exchange(listener: socket.socket, answer: bytes) -> bytes:
    """Take one connection, read its request to the end and answer it."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n"))
        length = re.search(rb"(?i)content-length: (\d+)", head)
        body = stream.read(int(length[1])) if length else b""
        connection.sendall(answer)
        return head + b"\r\n" + body


@contextlib.contextmanager
def serving(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Answer the health check, then each POST with the next answer; an empty one hangs up."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            requests.extend(exchange(listener, answer) for answer in (HEALTHY, *answers))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
        thread.join(10)
        assert not thread.is_alive(), "fewer requests came than were expected"


async def sent(
    url: str, *, timeout_s: float = 10.0, stopping: asyncio.Event | None = None
) -> Answer:
    async with open_client(url, connections=1) as client:
        asker = Asker(client, timeout_s=timeout_s, stopping=stopping or asyncio.Event())
        sender = Sender(asker)
        return await sender.send(ORDER, "the-id")


def test_an_order_is_sent_under_its_correlation_id() -> None:
    with serving(http(201, PLACED)) as (url, requests):
        answer = asyncio.run(sent(url))
    assert isinstance(answer, Order)
    head, _, body = requests[1].partition(b"\r\n\r\n")
    assert b"x-correlation-id: the-id" in head
    assert b'idempotency-key: "the-id"' in head
    assert json.loads(body) == {
        "customer_id": "ädä",
        "currency": "EUR",
        "lines": [{"sku": "tea", "quantity": 2, "unit_price": "4.50", "tax_rate": "0"}],
    }


def test_a_503_that_says_when_to_come_back_is_sent_again() -> None:
    down = http(503, {}, retry_after="0")
    with serving(down, down, http(201, PLACED)) as (url, requests):
        answer = asyncio.run(sent(url))
    assert isinstance(answer, Order)
    assert len(requests) == 4


OUTSTANDING = {"type": REQUEST_OUTSTANDING.uri, "title": "t", "status": 409, "detail": "d"}
LOST = [
    (http(503, {}), "answered 503 x"),
    (http(502, "?"), "answered 502 x"),
    (http(504, PROBLEM | {"status": 504, "errors": None}), "answered 504: d"),
    (http(409, OUTSTANDING, retry_after="0"), "answered 409: d"),
    (b"", "no answer (Server disconnected without sending a response.)"),
    (b"HTTP/1.1 201 x\r\ncontent-length: 9\r\n\r\n{", "no answer ("),
]


@pytest.mark.parametrize("answer", [answer for answer, _ in LOST])
def test_what_may_have_been_placed_is_sent_again_under_its_key(answer: bytes) -> None:
    async def scenario(url: str) -> tuple[Answer, int]:
        async with open_client(url, connections=1) as client:
            sender = Sender(Asker(client, timeout_s=10, stopping=asyncio.Event()))
            return await sender.send(ORDER, "the-id"), sender.replayed

    with serving(answer, answer, http(201, PLACED, idempotent_replayed="true")) as (url, requests):
        outcome, replayed = asyncio.run(scenario(url))
    assert isinstance(outcome, Order)
    assert replayed == 1
    assert len(set(requests[1:])) == 1


@pytest.mark.parametrize(("answer", "reason"), LOST)
def test_what_may_have_been_placed_is_unknown_once_the_time_is_over(
    answer: bytes, reason: str
) -> None:
    with serving(answer) as (url, _):
        outcome = asyncio.run(sent(url, timeout_s=0))
    assert isinstance(outcome, Unknown)
    assert outcome.reason.startswith(reason)


def test_a_refusal_for_the_moment_does_not_make_up_for_a_lost_answer() -> None:
    down = http(503, {"title": "t", "status": 503, "detail": "down"}, retry_after="30")
    with serving(b"", down) as (url, _):
        outcome = asyncio.run(sent(url, timeout_s=1))
    assert isinstance(outcome, Unknown)
    assert outcome.reason.startswith("no answer")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http(500, "oops"), "answered 500 x"),
        (http(200, {"hello": "world"}), "answer 200 is no order"),
    ],
)
def test_an_answer_that_says_nothing_leaves_the_order_unknown(answer: bytes, reason: str) -> None:
    with serving(answer) as (url, _):
        outcome = asyncio.run(sent(url))
    assert isinstance(outcome, Unknown)
    assert outcome.reason.startswith(reason)


def test_a_refusal_names_what_is_wrong_where() -> None:
    with serving(http(422, PROBLEM, content_type="application/problem+json")) as (url, _):
        assert asyncio.run(sent(url)) == Refused("answered 422: #/x no")


class ListensWhenTheClientPauses(asyncio.Event):
    """Ends an outage as soon as it was noticed."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__()
        self._listener = listener
        self._server = threading.Thread(target=exchange, args=(listener, http(201, PLACED)))

    async def wait(self) -> Literal[True]:
        self._listener.listen()
        self._server.start()
        return await super().wait()


def test_a_connection_refused_is_tried_again() -> None:
    async def send_into_an_outage(listener: socket.socket) -> Answer:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:
            noticed = ListensWhenTheClientPauses(listener)
            asker = Asker(client, timeout_s=10, stopping=noticed)
            return await Sender(asker).send(ORDER, "the-id")

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        assert isinstance(asyncio.run(send_into_an_outage(listener)), Order)


def test_trying_again_ends_with_the_time_or_with_the_run() -> None:
    down = http(503, {"title": "t", "status": 503, "detail": "down"}, retry_after="30")
    with serving(down) as (url, _):
        assert asyncio.run(sent(url, timeout_s=0.1)) == Unsent("answered 503: down")

    async def stopped() -> Answer:
        stopping = asyncio.Event()
        stopping.set()
        return await sent(url, stopping=stopping)

    with serving(down) as (url, _):
        assert asyncio.run(stopped()) == Unsent("answered 503: down")


def test_where_nobody_listens_the_user_is_told_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(DemoError, match=r"does not answer .* `make up`"):
        asyncio.run(sent(url))
