"""The shared HTTP edge: the last resort, one log line per request, traces, logs that cannot be forged."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import Response, StreamingResponse

from cdc.context import TRACE_CONTEXT
from cdc.logs import KeyValueFormatter
from producers.rest import limits
from producers.rest.app import build_app
from producers.rest.body import JsonRoute
from producers.rest.context import Context
from tests.answers import assert_problem

TRACE = "0af7651916cd43dd8448eb211c80319c"
router = APIRouter(route_class=JsonRoute)


@router.get("/fails")
async def fails() -> None:
    raise RuntimeError("the secret of the failure")


@router.get("/fails-late")
async def fails_late() -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        raise RuntimeError("no second")

    return StreamingResponse(chunks())


@router.get("/trace")
async def trace(context: Context) -> str | None:
    return context.traceparent


@router.get("/listed")
async def listed(limit: int = 50, status: str = "any") -> str:
    return f"{limit} {status}"


@router.get("/health")
async def health() -> str:
    return "ok"


@router.post("/echo")
async def echo(data: dict[str, object]) -> int:
    return len(data)


def build() -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    return build_app(title="test", description="test", routers=[router], lifespan=lifespan)


def request(
    method: str,
    path: str,
    *,
    content: bytes | AsyncIterator[bytes] | None = None,
    headers: dict[str, str] | None = None,
) -> httpx2.Response:
    async def call() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=build())
        async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, content=content, headers=headers)

    return asyncio.run(call())


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    formatter = KeyValueFormatter("test")
    return [formatter.format(r) for r in caplog.records if r.name.startswith("producers.")]


def test_what_nobody_foresaw_is_a_500_without_its_secrets(caplog: pytest.LogCaptureFixture) -> None:
    response = request("GET", "/fails")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text
    correlation_id = response.headers["x-correlation-id"]
    failure, line = lines(caplog)
    assert "the secret of the failure" in failure
    assert f"correlation_id={correlation_id}" in failure
    assert f"correlation_id={correlation_id}" in line
    assert "status=500" in line


@pytest.mark.parametrize(
    ("query", "name"),
    [("limit=1&limit=2", "limit"), ("status=a&limit=1&%73tatus=a", "status"), ("x=&x", "x")],
)
def test_a_query_that_says_two_things_is_refused(query: str, name: str) -> None:
    problem = assert_problem(request("GET", f"/listed?{query}"), 400)
    assert str(problem["detail"]).startswith(f"the query has {name} more than once")
    assert request("GET", "/listed?limit=1&status=limit").json() == "1 limit"


def test_an_answer_that_breaks_off_is_seen_to_break_off(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RuntimeError, match="no second"):
        request("GET", "/fails-late")
    assert "RuntimeError: no second" in lines(caplog)[0]


def test_each_request_is_one_line_and_a_healthy_probe_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    request("GET", "/health")
    request("GET", "/no%20where%0Alevel=error")
    [line] = lines(caplog)
    assert 'path="/no where\\nlevel=error" status=404' in line
    assert "\n" not in line


def test_a_trace_goes_on_with_a_span_of_its_own() -> None:
    parent = f"00-{TRACE}-b7ad6b7169203331-01"
    going_on = request("GET", "/trace", headers={"traceparent": parent}).json()
    assert going_on.startswith(f"00-{TRACE}-")
    assert going_on != parent


@pytest.mark.parametrize("header", ["nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01"])
def test_a_broken_trace_begins_anew(header: str) -> None:
    begun = request("GET", "/trace", headers={"traceparent": header}).json()
    assert TRACE_CONTEXT.fullmatch(begun)
    assert "0" * 32 not in begun


def test_a_body_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_TIMEOUT_S", 0.05)

    async def dribble() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async def call() -> int:
        """Straight to the application: httpx2's ASGI transport waits for the whole body first."""
        sent: list[int] = []
        chunks = dribble()

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": await anext(chunks), "more_body": True}

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                assert isinstance(message["status"], int)
                sent.append(message["status"])

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/echo",
            "raw_path": b"/echo",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"content-type", b"application/json")],
        }
        await build()(scope, receive, send)  # type: ignore[arg-type]
        [status] = sent
        return status

    assert asyncio.run(call()) == 408


def test_a_body_in_many_pieces_is_read_whole() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"a":', b" 1,", b' "b": 2}'):
            yield piece

    assert request("POST", "/echo", content=pieces()).json() == 2
