"""Spans of requests and calls, and what of them goes on to others."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx2
from fastapi import APIRouter, FastAPI

from cdc.context import MessageContext
from cdc.ids import new_id
from cdc.tracing.spans import span_id_of
from producers.calling.client import open_client
from producers.calling.settings import CallSettings
from producers.rest.app import build_app
from producers.rest.body import JsonRoute
from producers.rest.context import Context
from tests.receiver import Receiver, Request, answer
from tests.tracing import Recorded, recorded

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
router = APIRouter(route_class=JsonRoute)


@router.get("/things/{thing_id}")
async def thing(thing_id: str, context: Context) -> str | None:
    return context.traceparent


@router.get("/fails")
async def fails() -> None:
    raise RuntimeError("the secret of the failure")


@router.get("/health")
async def health() -> str:
    return "ok"


@asynccontextmanager
async def _nothing_to_open(_: FastAPI) -> AsyncIterator[None]:
    yield


def ask(method: str, path: str, headers: Mapping[str, str] = SAMPLED) -> httpx2.Response:
    async def run() -> httpx2.Response:
        app = build_app(title="Traced", description="", routers=[router], lifespan=_nothing_to_open)
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://traced") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(run())


def test_a_request_is_a_part_of_what_its_caller_does_named_by_its_route() -> None:
    with recorded(0.0) as spans:
        said = ask("GET", "/things/secret-7").json()
    [span] = spans
    assert (span.name, span.kind, span.parent) == ("GET /things/{thing_id}", "server", CALLER)
    assert span.traceparent == said
    assert span.attributes["http.response.status_code"] == 200
    assert span.error == ""


def test_where_nobody_calls_from_a_trace_one_begins_of_as_many_as_are_recorded() -> None:
    with recorded(1.0) as spans:
        ask("GET", "/things/1", {})
    assert [each.parent for each in spans] == [None]
    with recorded(0.0) as spans:
        ask("GET", "/things/1", {})
    assert spans == []


def test_the_caller_who_does_not_record_is_followed() -> None:
    with recorded(1.0) as spans:
        ask("GET", "/things/1", {"traceparent": f"00-{TRACE}-{CALLER}-00"})
    assert spans == []


def test_a_failure_is_one_in_the_trace_and_a_refusal_is_none() -> None:
    with recorded() as spans:
        ask("GET", "/fails")
        ask("GET", "/nowhere")
        ask("HEAD", "/things/1")
    assert [(each.name, each.error) for each in spans] == [
        ("GET /fails", "500"),
        ("GET", ""),
        ("HEAD /things/{thing_id}", ""),
    ]


def test_nobody_wants_traces_of_probes() -> None:
    with recorded() as spans:
        ask("GET", "/health")
    assert spans == []


def call(*statuses: int) -> tuple[list[Request], Recorded]:
    """Call a service that answers so, and return what it was asked and what was recorded."""
    replies = iter(statuses)

    async def reply(_: Request) -> bytes:
        return answer(next(replies), content_type="application/json")

    async def run() -> list[Request]:
        context = MessageContext(correlation_id=new_id(), traceparent=SAMPLED["traceparent"])
        async with (
            Receiver(reply).open() as receiver,
            open_client(
                "orders", f"http://127.0.0.1:{receiver.port}", CallSettings(), timeout_s=5
            ) as client,
        ):
            await client.call("GET", "/things/1?secret=1", context)
        return receiver.requests

    with recorded() as spans:
        return asyncio.run(run()), spans


def test_each_attempt_of_a_call_is_a_span_that_the_service_called_goes_on_from() -> None:
    requests, spans = call(503, 204)
    assert [each.headers["traceparent"] for each in requests] == [
        each.traceparent for each in spans
    ]
    assert {each.parent for each in spans} == {CALLER}
    assert len({span_id_of(each.traceparent) for each in spans}) == 2
    assert [(each.kind, each.error) for each in spans] == [("client", "503"), ("client", "")]
    assert all("secret" not in str(each) for each in spans)
