"""Sends a request until there is an answer that stays."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx2
from pydantic import ValidationError

from schemas.rest.problem import REQUEST_OUTSTANDING, Problem

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
ANSWER_TIMEOUT_S = 15.0  # longer than services wait for those behind them
KEEPALIVE_S = 2.0
"""Shorter than servers keep idle connections, so that none is closed just as a request goes out."""

NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
UNAVAILABLE = 503
PASSING = frozenset({502, UNAVAILABLE, 504})
"""Statuses that a moment later may be others."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer that stays has come, however often the request was sent."""

    reason: str
    may_be_done: bool  # it has gone out once at least, and nobody knows what came of it


class Asker:
    """Sends requests that may be sent again: they change nothing, or are under a key.

    Args:
        http: What they are sent by.
        timeout_s: How long each is sent again, in seconds.
        stopping: Set, nothing is sent again any more.
        moved_at: Tells when anything has gone forward last, by `time.monotonic`; the seconds count from then. Whoever
            is unlucky goes on as long as others come through.
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        timeout_s: float,
        stopping: asyncio.Event,
        moved_at: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.sent_again = 0  # how often a request was
        self._http = http
        self._timeout_s = timeout_s
        self._stopping = stopping
        self._moved_at = moved_at

    async def ask(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response | NoAnswer:
        began = time.monotonic()
        pause_s, lost = FIRST_PAUSE_S, None
        while True:
            try:
                response = await self._http.request(method, url, content=content, headers=headers)
            except NEVER_SENT as error:
                why, wait_s = f"no connection ({words(error)})", pause_s
            except httpx2.HTTPError as error:
                why = lost = f"no answer ({words(error)})"
                wait_s = pause_s
            else:
                if not _may_change(response):
                    return response
                retry_after_s = _retry_after_s(response)
                why, wait_s = explain(response), max(pause_s, retry_after_s or 0.0)
                if response.status_code != UNAVAILABLE or retry_after_s is None:
                    lost = why
            # Apart from each other, or all would come back at the same moment.
            wait_s *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            deadline = max(began, self._moved_at()) + self._timeout_s
            if time.monotonic() + wait_s > deadline or await self._stopped_within(wait_s):
                return NoAnswer(lost or why, may_be_done=lost is not None)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            self.sent_again += 1

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False


def client(base_url: str = "", *, connections: int) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=base_url,
        limits=httpx2.Limits(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=KEEPALIVE_S,
        ),
        timeout=ANSWER_TIMEOUT_S,
        trust_env=False,  # a proxy meant for the outside has no business on the way to 127.0.0.1
    )


def explain(response: httpx2.Response) -> str:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return f"answered {response.status_code} {response.reason_phrase}".strip()
    errors = "; ".join(f"{error.pointer} {error.detail}" for error in problem.errors or ())
    return f"answered {problem.status}: {errors or problem.detail}"


def words(error: httpx2.HTTPError) -> str:
    """Return what an error says; those of a timeout often say nothing but their name."""
    return str(error) or type(error).__name__


def _may_change(response: httpx2.Response) -> bool:
    """Tell whether another answer may come when the request is sent again."""
    return response.status_code in PASSING or REQUEST_OUTSTANDING.uri.encode() in response.content


def _retry_after_s(response: httpx2.Response) -> float | None:
    """Return after how many seconds to come back, None if that is not said.

    A 503 without it may come from a connection that broke after the request was carried out.
    """
    seconds = response.headers.get("retry-after", "")
    return float(seconds) if seconds.isascii() and seconds.isdigit() else None
