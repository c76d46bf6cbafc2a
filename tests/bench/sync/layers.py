"""What each layer adds to a call: the same order is placed with and without it, in turns."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from aiohttp import ClientSession, ClientTimeout
from fastapi import FastAPI

from cdc.context import MessageContext
from cdc.ids import new_id
from producers.calling.client import ServiceClient
from producers.orders.bootstrap import Settings, create_app
from producers.rest.deadlines import Deadlines
from producers.rest.shedding import Shedding
from producers.rest.timeout_headers import TIMEOUT
from tests.bench.errors import BenchError
from tests.bench.figures import percentile
from tests.hops import client_of, served

BARE, DEADLINE, CALLING, KEY, ALL = "bare", "deadline", "calling", "key", "all"
PATH = "/v2/orders"
BODY = (
    b'{"customer_id":"ada","currency":"EUR",'
    b'"lines":[{"sku":"book","quantity":2,"unit_price":"9.99","tax_rate":"0.07"}]}'
)
HEADERS = {"content-type": "application/json"}
CREATED = 201
TIMEOUT_S = 10.0
WARM_UP = 50

Place = Callable[[], Awaitable[None]]


class Took(NamedTuple):
    """What a call took."""

    ms: float
    cpu_ms: float  # of client and service, which share this process; not of the database


def figures_of(calls: Sequence[Took], bare: Sequence[Took]) -> Mapping[str, float]:
    """Return the figures of a layer: medians, also of each call less the bare one of the same turn."""
    pairs = [*zip(calls, bare, strict=True)]
    return {
        "p50_ms": percentile([call.ms for call in calls], 50),
        "cpu_ms": percentile([call.cpu_ms for call in calls], 50),
        "added_ms": percentile([call.ms - other.ms for call, other in pairs], 50),
        "added_cpu_ms": percentile([call.cpu_ms - other.cpu_ms for call, other in pairs], 50),
    }


async def measured(settings: Settings, turns: int) -> Mapping[str, Mapping[str, float]]:
    """Place an order in each way, turn by turn, and return the figures of each.

    Raises:
        BenchError: an order was not placed.
    """
    async with _ways(settings) as ways:
        for _ in range(WARM_UP):
            for place in ways.values():
                await place()
        took: dict[str, list[Took]] = {name: [] for name in ways}
        for turn in range(turns):
            first = turn % len(ways)
            for name in [*ways][first:] + [*ways][:first]:
                begin, cpu = time.perf_counter(), time.process_time()
                await ways[name]()
                cpu, end = time.process_time() - cpu, time.perf_counter()
                took[name].append(Took((end - begin) * 1000, cpu * 1000))
    return {name: figures_of(calls, took[BARE]) for name, calls in took.items()}


@asynccontextmanager
async def _ways(settings: Settings) -> AsyncIterator[Mapping[str, Place]]:
    async with AsyncExitStack() as stack:

        async def at(*left_out: type) -> str:
            app = without(create_app(settings), *left_out)
            await stack.enter_async_context(app.router.lifespan_context(app))
            return await stack.enter_async_context(served(app))

        async def plain(url: str) -> ClientSession:
            client = ClientSession(
                base_url=url, timeout=ClientTimeout(total=TIMEOUT_S), trust_env=False
            )
            return await stack.enter_async_context(client)

        async def guarded(url: str) -> ServiceClient:
            return await stack.enter_async_context(client_of(url, timeout_s=TIMEOUT_S))

        nothing, bounded = await at(Deadlines, Shedding), await at(Shedding)
        shedding, whole = await at(Deadlines), await at()
        yield {
            BARE: _by(await plain(nothing)),
            DEADLINE: _by(await plain(bounded), with_deadline=True),
            CALLING: _by_client(await guarded(shedding)),
            KEY: _by(await plain(nothing), with_key=True),
            ALL: _by_client(await guarded(whole), with_key=True),
        }


def without(app: FastAPI, *layers: object) -> FastAPI:
    """Return an application after taking layers off its edge.

    Raises:
        BenchError: it has no such layer, so that nothing would be measured.
    """
    kept = [each for each in app.user_middleware if each.cls not in layers]
    if len(kept) + len(layers) != len(app.user_middleware):
        raise BenchError(f"the edge of {app.title} does not have {layers}, and cannot do without.")
    app.user_middleware = kept
    return app


def _by(client: ClientSession, *, with_deadline: bool = False, with_key: bool = False) -> Place:
    asked = {**HEADERS, TIMEOUT: f"{TIMEOUT_S * 1000:.0f}"} if with_deadline else HEADERS

    async def place() -> None:
        headers = {**asked, **_key(is_wanted=with_key)}
        async with client.post(PATH, data=BODY, headers=headers) as answer:
            _require_created(answer.status, await answer.read())

    return place


def _by_client(client: ServiceClient, *, with_key: bool = False) -> Place:
    async def place() -> None:
        context = MessageContext(correlation_id=new_id())
        answer = await client.call(
            "POST", PATH, context, content=BODY, headers={**HEADERS, **_key(is_wanted=with_key)}
        )
        _require_created(answer.status, answer.body)

    return place


def _key(*, is_wanted: bool) -> Mapping[str, str]:
    return {"idempotency-key": str(new_id())} if is_wanted else {}


def _require_created(status: int, body: bytes) -> None:
    if status != CREATED:
        raise BenchError(f"An order was answered with {status}: {body.decode(errors='replace')}")
