"""Requests end with the time that they were given, or with whoever waited for them; over real sockets."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack

import httpx2
import pytest
from fastapi import APIRouter
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from cdc.deadline import current_deadline
from producers.rest.body import JsonRoute
from producers.rest.deadlines import GRACE_S, Deadlines, GivenUp, current_trace
from producers.rest.problems import ProblemError
from producers.rest.settings import RequestSettings
from producers.rest.timeout_headers import budget_s, without_reserve
from tests.answers import assert_problem
from tests.hops import PATIENCE_S, app_of, asked, client_of, hop, served

CLIENTS = 25
EXCEEDED = "urn:tailrace:problem:deadline-exceeded"
UNKNOWN = "urn:tailrace:problem:too-slow"


class Working:
    """Handlers that never come to an end by themselves, counted."""

    def __init__(self) -> None:
        self.begun = self.cancelled = 0
        self.changed = asyncio.Condition()

    async def __call__(self) -> None:
        self.begun += 1
        await self._tell()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            self._telling = asyncio.create_task(self._tell())
            raise

    async def until(self, **counts: int) -> None:
        async with asyncio.timeout(PATIENCE_S), self.changed:
            await self.changed.wait_for(
                lambda: all(getattr(self, name) == count for name, count in counts.items())
            )

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"request-timeout-ms": "1500"}, 1.5),
        ({"request-timeout-ms": " 0 "}, 0),
        ({"request-timeout-ms": "9999999999999999999"}, 9999999999999999.999),
        ({"request-timeout-ms": "300, 200"}, 0.2),
        ({"x-envoy-expected-rq-timeout-ms": "250"}, 0.25),
        ({"x-envoy-expected-rq-timeout-ms": "0"}, None),
        ({"grpc-timeout": "100m"}, 0.1),
        ({"grpc-timeout": "2S"}, 2),
        ({"grpc-timeout": "1H"}, 3600),
        ({"grpc-timeout": "99999999n"}, 0.099999999),
        ({"grpc-timeout": "1s"}, None),
        ({"grpc-timeout": "123456789m"}, None),
        ({"x-envoy-expected-rq-timeout-ms": "soon"}, None),
        (
            {
                "request-timeout-ms": "900",
                "x-envoy-expected-rq-timeout-ms": "800",
                "grpc-timeout": "1S",
            },
            0.8,
        ),
    ],
)
def test_the_fewest_seconds_count_that_a_caller_speaks_of(
    headers: dict[str, str], seconds: float | None
) -> None:
    told = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert budget_s(told) == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "said",
    [
        "",
        "5s",
        "-1",
        "1.5",
        "1e3",
        "\u0661\u0665",
        "1_000",
        "0x10",
        "+5",
        "9" * 20,
        "5,soon",
        "nan",
    ],
)
def test_a_budget_that_is_none_is_refused_and_names_the_header(said: str) -> None:
    with pytest.raises(ProblemError, match="Request-Timeout-Ms") as refused:
        budget_s([(b"request-timeout-ms", said.encode())])
    assert refused.value.status_code == 400


def test_a_reserve_is_kept_and_is_small_beside_a_small_budget() -> None:
    assert without_reserve(5) == pytest.approx(4.98)
    assert without_reserve(0.05) == pytest.approx(0.045)
    assert without_reserve(-1) == -1


def test_a_request_has_the_time_that_it_asks_for_or_the_usual_and_never_more_than_may_be() -> None:
    router = APIRouter(route_class=JsonRoute)

    @router.get("/remaining")
    async def remaining() -> float | None:
        deadline = current_deadline()
        return deadline.remaining_s() if deadline else None

    async def scenario() -> None:
        settings = RequestSettings(request_timeout_ms=5_000, request_timeout_max_ms=30_000)
        async with served(app_of(router, settings=settings)) as url:
            for headers, most in (
                ({}, 5),
                ({"request-timeout-ms": "2000"}, 2),
                ({"request-timeout-ms": "20000"}, 20),
                ({"request-timeout-ms": "999999999999"}, 30),
                ({"grpc-timeout": "9H"}, 30),
            ):
                given = (await asked(f"{url}/remaining", headers=headers)).json()
                assert most / 2 < given <= most
            said = await asked(f"{url}/remaining", headers={"request-timeout-ms": "5 s"})
            problem = assert_problem(said, 400)
            assert problem["type"] == "urn:tailrace:problem:malformed-header"

    asyncio.run(scenario())


@pytest.mark.parametrize("budget", ["0", "1"])
def test_what_cannot_be_done_in_time_is_not_begun(budget: str) -> None:
    async def scenario() -> None:
        working = Working()
        async with served(hop(working)) as url:
            said = await asked(f"{url}/work", headers={"request-timeout-ms": budget})
            assert assert_problem(said, 504)["type"] == EXCEEDED
            assert working.begun == 0

    asyncio.run(scenario())


def test_three_slow_hops_take_the_budget_and_not_the_sum() -> None:
    async def slow() -> None:
        await asyncio.sleep(0.4)

    async def scenario() -> float:
        working = Working()
        async with AsyncExitStack() as stack:
            last = await stack.enter_async_context(served(hop(working)))
            to_last = await stack.enter_async_context(client_of(last))
            middle = await stack.enter_async_context(served(hop(slow, to_last)))
            to_middle = await stack.enter_async_context(client_of(middle))
            first = await stack.enter_async_context(served(hop(slow, to_middle)))
            began = time.monotonic()
            said = await asked(f"{first}/work", headers={"request-timeout-ms": "1000"})
            took = time.monotonic() - began
            assert_problem(said, 504)
            await working.until(begun=1, cancelled=1)
        return took

    assert 0.8 < asyncio.run(scenario()) < 2


def test_what_was_not_begun_and_what_may_be_done_are_told_apart() -> None:
    router = APIRouter(route_class=JsonRoute)

    @router.post("/before")
    async def before() -> None:
        await asyncio.Event().wait()

    @router.post("/after")
    async def after() -> None:
        current_trace().may_be_done = True
        await asyncio.Event().wait()

    @router.post("/stubborn")
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(2)
            raise

    async def scenario() -> None:
        app = app_of(router)
        async with served(app) as url:
            headers = {"request-timeout-ms": "100"}
            problem = assert_problem(await asked(f"{url}/before", "POST", headers=headers), 504)
            assert problem["type"] == EXCEEDED
            assert "nothing was done" in str(problem["detail"])
            problem = assert_problem(await asked(f"{url}/after", "POST", headers=headers), 504)
            assert problem["type"] == UNKNOWN
            assert "unknown" in str(problem["detail"])
            began = time.monotonic()
            assert_problem(await asked(f"{url}/stubborn", "POST", headers=headers), 504)
            assert time.monotonic() - began < 1.5
        assert app.state.given_up.too_late >= 2

    asyncio.run(scenario())


def test_a_body_that_does_not_arrive_in_time_is_not_called_slow_work() -> None:
    router = APIRouter(route_class=JsonRoute)

    @router.post("/echo")
    async def echo(data: dict[str, object]) -> int:
        return len(data)

    async def scenario() -> bytes:
        async with served(app_of(router)) as url:
            reader, writer = await asyncio.open_connection(*address(url))
            writer.write(
                b"POST /echo HTTP/1.1\r\nhost: x\r\nrequest-timeout-ms: 100\r\n"
                b"content-type: application/json\r\ncontent-length: 9\r\n\r\n{"
            )
            async with asyncio.timeout(PATIENCE_S):
                head = await reader.readuntil(b"\r\n")
            writer.close()
            return head

    assert b" 408 " in asyncio.run(scenario())


def test_there_is_one_answer_when_the_application_gives_its_own_at_the_last_moment() -> None:
    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            # the loop is held up until the answer given instead is due as well
            asyncio.get_running_loop().call_soon(time.sleep, 2 * GRACE_S)
            await asyncio.sleep(GRACE_S / 20)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"late"})

    said: list[str] = []
    failed: list[object] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: failed.append(told))

        async def send(message: Message) -> None:
            said.append(message["type"])

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        edge = Deadlines(late, default_s=0.05, most_s=1, given_up=GivenUp())
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": "/", "headers": []}
        await edge(scope, receive, send)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(scenario())
    assert said == ["http.response.start", "http.response.body"]
    assert not failed


def test_an_answer_that_has_begun_goes_on_unless_its_client_said_for_how_long() -> None:
    router = APIRouter()

    @router.get("/events")
    async def events() -> StreamingResponse:
        async def numbers() -> AsyncIterator[str]:
            for number in range(4):
                await asyncio.sleep(0.1)
                yield f"data: {number}\n\n"

        return StreamingResponse(numbers(), media_type="text/event-stream")

    async def scenario() -> None:
        settings = RequestSettings(request_timeout_ms=150)
        async with served(app_of(router, settings=settings)) as url:
            said = await asked(f"{url}/events")
            assert said.text.count("data:") == 4
            with pytest.raises(httpx2.RemoteProtocolError):
                await asked(f"{url}/events", headers={"request-timeout-ms": "150"})

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_who_hangs_up_has_the_work_cancelled_at_every_hop(how: str) -> None:
    async def nothing() -> None:
        return

    async def scenario() -> None:
        working = Working()
        async with served(hop(working)) as last, client_of(last) as client:
            app = hop(nothing, client)
            async with served(app) as first:
                with ExitStack() as clients:
                    for _ in range(CLIENTS):
                        connection = clients.enter_context(socket.create_connection(address(first)))
                        connection.sendall(b"GET /work HTTP/1.1\r\nhost: x\r\n\r\n")
                        if how == "reset":
                            now = struct.pack("ii", 1, 0)
                            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                    await working.until(begun=CLIENTS, cancelled=0)
                await working.until(cancelled=CLIENTS)
                # the connections that were given up do not count against those of others
                assert client.target.in_flight == 0
                assert client.target.breaker.state.value == "closed"
                assert client.target.counts.failures == 0
            assert app.state.given_up.abandoned == CLIENTS
            assert app.state.load.in_flight == 0

    asyncio.run(scenario())


def test_who_has_said_all_and_listens_is_answered_however_long_it_takes() -> None:
    async def slow() -> None:
        await asyncio.sleep(0.7)

    async def scenario() -> bytes:
        async with served(hop(slow)) as url:
            reader, writer = await asyncio.open_connection(*address(url))
            writer.write(b"GET /work HTTP/1.1\r\nhost: x\r\n\r\n")
            writer.write_eof()
            async with asyncio.timeout(PATIENCE_S):
                said = await reader.read()
            writer.close()
            return said

    *interim, answer = asyncio.run(scenario()).split(b"HTTP/1.1 ")[1:]
    assert interim
    assert all(each == b"102 Processing\r\n\r\n" for each in interim)
    assert answer.startswith(b"200 ")


def address(url: str) -> tuple[str, int]:
    parsed = httpx2.URL(url)
    return parsed.host, parsed.port or 80
