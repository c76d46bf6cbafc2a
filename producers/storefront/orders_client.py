"""Client of the orders service: pooled connections, bounded waiting, every failure a problem."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2
from pydantic import ValidationError

from cdc.context import MessageContext
from producers.rest.context import headers_of
from producers.rest.problems import ProblemError, unavailable
from schemas.rest.orders import Order, PlaceOrder
from schemas.rest.problem import MEDIA_TYPE, Problem, ProblemType

CONNECT_TIMEOUT_S = 1.0
MAX_CONNECTIONS = 100
PASSED_HEADERS = ("retry-after",)


class OrdersClient:
    """Places and finds orders at the orders service.

    Args:
        http: Client whose base URL is the orders service.
        timeout_s: Longest time from a call to its complete answer, in seconds.
    """

    def __init__(self, http: httpx2.AsyncClient, *, timeout_s: float) -> None:
        self._http = http
        self._timeout_s = timeout_s

    async def place(self, order: PlaceOrder, context: MessageContext) -> Order:
        """Place an order.

        Raises:
            ProblemError: orders refused it (as orders said), or is down (503), too slow (504) or confused (502).
        """
        body = order.model_dump_json()
        headers = {"content-type": "application/json"}
        return await self._call("POST", "/v1/orders", context, content=body, headers=headers)

    async def find(self, order_id: UUID, context: MessageContext) -> Order:
        """Find an order.

        Raises:
            ProblemError: as for `place`; 404 when there is no such order.
        """
        return await self._call("GET", f"/v1/orders/{order_id}", context, headers={})

    async def _call(
        self,
        method: str,
        path: str,
        context: MessageContext,
        *,
        headers: dict[str, str],
        content: str | None = None,
    ) -> Order:
        headers = {**headers, **headers_of(context)}
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._http.request(method, path, content=content, headers=headers)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise unavailable("the orders service cannot be reached; try again") from error
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise _too_slow(self._timeout_s) from error
        except httpx2.HTTPError as error:
            raise _unusable("broke off in mid-answer") from error
        return _order_in(response)


@asynccontextmanager
async def open_client(base_url: str, *, timeout_s: float) -> AsyncIterator[OrdersClient]:
    """Open a client of the orders service and close its connections at the end.

    Args:
        base_url: Where the orders service listens.
        timeout_s: Longest time from a call to its complete answer, in seconds.
    """
    async with httpx2.AsyncClient(
        base_url=base_url,
        timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        limits=httpx2.Limits(max_connections=MAX_CONNECTIONS),
        trust_env=False,  # a proxy meant for the outside has no business between two services
    ) as http:
        yield OrdersClient(http, timeout_s=timeout_s)


def _order_in(response: httpx2.Response) -> Order:
    try:
        if response.is_success:
            return Order.model_validate_json(response.content)
        if response.headers.get("content-type") == MEDIA_TYPE:
            raise _passed_on(Problem.model_validate_json(response.content), response)
    except ValidationError as error:
        raise _unusable("answered with something else than an order or a problem") from error
    raise _unusable(f"answered with status {response.status_code} and no problem")


def _passed_on(problem: Problem, response: httpx2.Response) -> ProblemError:
    """Return the problem that orders answered with, to be answered again."""
    passed: dict[str, Any] = {
        name: response.headers[name] for name in PASSED_HEADERS if name in response.headers
    }
    kinds = {kind.value: kind for kind in ProblemType}
    return ProblemError(
        response.status_code,
        problem.detail,
        kind=kinds.get(problem.type, ProblemType.BLANK),
        errors=problem.errors or (),
        headers=passed,
    )


def _too_slow(timeout_s: float) -> ProblemError:
    return ProblemError(
        504,
        f"the orders service did not answer within {timeout_s:g} seconds; "
        "whether it acted on the request is unknown",
        kind=ProblemType.TOO_SLOW,
    )


def _unusable(what: str) -> ProblemError:
    detail = f"the orders service {what}; whether it acted on the request is unknown"
    return ProblemError(502, detail, kind=ProblemType.BAD_GATEWAY)
