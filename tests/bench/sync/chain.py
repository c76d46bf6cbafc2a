"""A chain of services whose last one is slow, while clients wait for less: what they get, and what is done in vain."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

import httpx2

from producers.rest.deadlines import Deadlines
from producers.rest.timeout_headers import TIMEOUT
from tests.bench.figures import percentile
from tests.bench.sync.layers import without
from tests.hops import client_of, hop, served, until
from tests.plain_http import PLAIN

HOPS = ("storefront", "orders", "users", "loyalty")
TOLD = 0.8
"""Part of its patience that a client tells as its budget; the rest is for the answer to come back."""
FOR_EVER_S = 60.0
NEVER = 1_000_000_000


class Trouble(NamedTuple):
    """How slow the last hop is, and how clients ask meanwhile."""

    slow_s: float = 4.0
    patience_s: float = 1.0
    per_s: float = 10.0


class Guards(NamedTuple):
    """What the services have against it."""

    deadline: bool
    breaker: bool


GUARDS: Mapping[str, Guards] = {
    "neither": Guards(deadline=False, breaker=False),
    "deadline": Guards(deadline=True, breaker=False),
    "deadline_breaker": Guards(deadline=True, breaker=True),
}


@dataclass
class SlowHop:
    """The work of the last service, and for how long it was at it."""

    slow_s: float
    calls: int = 0
    busy_s: float = 0.0
    at_once: int = 0
    most_at_once: int = 0

    async def work(self) -> None:
        self.calls += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        begin = time.perf_counter()
        try:
            await asyncio.sleep(self.slow_s)
        finally:
            self.at_once -= 1
            self.busy_s += time.perf_counter() - begin


async def measured(guards: Guards, trouble: Trouble, seconds: float) -> Mapping[str, float]:
    """Ask at a steady rate; nobody waits for long enough, so that whatever the last hop does is in vain.

    Returns:
        Until a client knew that it gets nothing, and what the last hop did for each request.
    """
    slow = SlowHop(trouble.slow_s)
    asked = round(trouble.per_s * seconds)
    async with _chain(guards, slow) as url, _client(url, guards, trouble) as client:
        begin = time.perf_counter()

        async def one(number: int) -> float:
            due = begin + number / trouble.per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            with suppress(httpx2.TimeoutException, TimeoutError):
                async with asyncio.timeout(trouble.patience_s):
                    await client.get("/work")
            return (time.perf_counter() - due) * 1000

        took = await asyncio.gather(*(one(number) for number in range(asked)))
        # what was begun for clients who are gone goes on for as long as the service lets it
        await until(lambda: not slow.at_once)
    return {
        "p50_ms": percentile(took, 50),
        "p99_ms": percentile(took, 99),
        "calls_in_vain": slow.calls / asked,
        "s_in_vain": slow.busy_s / asked,
        "most_at_once": float(slow.most_at_once),
    }


@asynccontextmanager
async def _chain(guards: Guards, slow: SlowHop) -> AsyncIterator[str]:
    """Serve all hops, each of which asks the next; yield the URL of the first."""
    bounds = {} if guards.breaker else {"breaker_minimum_calls": NEVER}
    async with AsyncExitStack() as stack:
        url, behind = "", None
        for name in reversed(HOPS):
            app = hop(slow.work if behind is None else _nothing, behind)
            app.title = name
            url = await stack.enter_async_context(
                served(app if guards.deadline else without(app, Deadlines))
            )
            behind = await stack.enter_async_context(client_of(url, timeout_s=FOR_EVER_S, **bounds))
        yield url


@asynccontextmanager
async def _client(url: str, guards: Guards, trouble: Trouble) -> AsyncIterator[httpx2.AsyncClient]:
    told = {TIMEOUT: f"{TOLD * trouble.patience_s * 1000:.0f}"} if guards.deadline else {}
    async with httpx2.AsyncClient(
        base_url=url,
        headers=told,
        verify=PLAIN,
        timeout=FOR_EVER_S,
        limits=httpx2.Limits(max_connections=None),
        trust_env=False,
    ) as client:
        yield client


async def _nothing() -> None:
    pass
