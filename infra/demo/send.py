"""Sends one order to the storefront, again where that is safe."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from pydantic import ValidationError

from infra.demo.orders import DemoError, NewOrder
from schemas.rest.orders.v2 import Order
from schemas.rest.problem import REQUEST_OUTSTANDING, Problem

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
ANSWER_TIMEOUT_S = 15.0  # longer than the storefront itself waits for the service behind it
KEEPALIVE_S = 2.0
"""Shorter than servers keep idle connections, so that none is closed just as a request goes out."""

NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
UNAVAILABLE = 503
PASSING = frozenset({502, UNAVAILABLE, 504})
"""Statuses that a moment later may be others."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The storefront answered that it will not take the order."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The order was sent, and no usable answer came, however often: it may have been placed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """The order was certainly not placed."""

    reason: str


Answer = Order | Refused | Unknown | Unsent


class Sender:
    """Sends orders, each under a key of its own, so that sending it again places it no second time."""

    def __init__(
        self, http: httpx2.AsyncClient, *, timeout_s: float, stopping: asyncio.Event
    ) -> None:
        self.replayed = 0  # orders that were placed by a POST whose answer was lost
        self._http = http
        self._timeout_s = timeout_s
        self._stopping = stopping

    async def send(self, order: NewOrder, correlation_id: str) -> Answer:
        """Send an order until there is an answer that stays."""
        body = order.body()
        headers = {
            "content-type": "application/json",
            "x-correlation-id": correlation_id,
            "idempotency-key": f'"{correlation_id}"',
        }
        deadline = time.monotonic() + self._timeout_s
        pause_s, lost = FIRST_PAUSE_S, None
        while True:
            try:
                response = await self._http.post("/v2/orders", content=body, headers=headers)
            except NEVER_SENT as error:
                why, wait_s = f"no connection ({_words(error)})", pause_s
            except httpx2.HTTPError as error:
                why = lost = f"no answer ({_words(error)})"
                wait_s = pause_s
            else:
                if not _may_change(response):
                    self.replayed += response.headers.get("idempotent-replayed") == "true"
                    return _answer(response)
                retry_after_s = _retry_after_s(response)
                why, wait_s = _explain(response), max(pause_s, retry_after_s or 0.0)
                if response.status_code != UNAVAILABLE or retry_after_s is None:
                    lost = why
            # Apart from each other, or all would come back at the same moment.
            wait_s *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            if time.monotonic() + wait_s > deadline or await self._stopped_within(wait_s):
                return Unsent(why) if lost is None else Unknown(lost)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False


@asynccontextmanager
async def open_client(base_url: str, *, connections: int) -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=KEEPALIVE_S,
    )
    async with httpx2.AsyncClient(
        base_url=base_url,
        limits=limits,
        timeout=ANSWER_TIMEOUT_S,
        trust_env=False,  # a proxy meant for the outside has no business on the way to 127.0.0.1
    ) as http:
        await _greet(http, base_url)
        yield http


async def _greet(http: httpx2.AsyncClient, base_url: str) -> None:
    try:
        response = await http.get("/health")
        response.raise_for_status()
    except httpx2.HTTPError as error:
        raise DemoError(
            f"The storefront at {base_url} does not answer ({_words(error)}); "
            "start the stack with `make up`, or see `tailrace status`."
        ) from error


def _may_change(response: httpx2.Response) -> bool:
    """Tell whether another answer may come when the order is sent again."""
    return response.status_code in PASSING or REQUEST_OUTSTANDING.uri.encode() in response.content


def _retry_after_s(response: httpx2.Response) -> float | None:
    """Return after how many seconds to come back, None if that is not said.

    A 503 without it may come from a connection that broke after the order was kept.
    """
    seconds = response.headers.get("retry-after", "")
    return float(seconds) if seconds.isascii() and seconds.isdigit() else None


def _answer(response: httpx2.Response) -> Answer:
    if response.is_success:
        try:
            return Order.model_validate_json(response.content)
        except ValidationError:
            return Unknown(f"answer {response.status_code} is no order")
    if response.is_server_error:
        return Unknown(_explain(response))
    return Refused(_explain(response))


def _explain(response: httpx2.Response) -> str:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return f"answered {response.status_code} {response.reason_phrase}".strip()
    errors = "; ".join(f"{error.pointer} {error.detail}" for error in problem.errors or ())
    return f"answered {problem.status}: {errors or problem.detail}"


def _words(error: httpx2.HTTPError) -> str:
    """Return what an error says; those of a timeout often say nothing but their name."""
    return str(error) or type(error).__name__
