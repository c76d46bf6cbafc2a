"""Client of the orders service: pooled connections, bounded waiting, every failure a problem."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, TypeVar
from uuid import UUID

import httpx2
from fastapi import Depends
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from cdc.context import MessageContext
from producers.rest.context import headers_of
from producers.rest.idempotency.exchange import REPLAYED, current_exchange
from producers.rest.problems import ProblemError, answers, unavailable
from schemas.rest.orders import API
from schemas.rest.problem import BAD_GATEWAY, MEDIA_TYPE, SHARED, TOO_SLOW, Problem
from schemas.rest.versions import Version

CONNECT_TIMEOUT_S = 1.0
KEEPALIVE_S = 2.0
"""Shorter than the server's 5 s: a connection that it is just closing must not be used for a request."""
MAX_CONNECTIONS = 100
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""An order of 500 lines, each shown as two and every character escaped, has a third of it."""
BEHIND = answers(502, 503, 504)
"""What the API description says about answers of whoever asks the orders service."""

_SECONDS = re.compile("[0-9]{1,9}", re.ASCII)
_PROBLEM_STATUSES = frozenset(status for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST)

Order = TypeVar("Order", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the orders service answered, whole."""

    status: int
    headers: httpx2.Headers
    body: bytes

    @property
    def is_problem(self) -> bool:
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return media_type == MEDIA_TYPE and self.status in _PROBLEM_STATUSES


class OrdersClient:
    """Places and finds orders at the orders service, each in the version that the storefront was asked in."""

    def __init__(self, http: httpx2.AsyncClient, *, timeout_s: float) -> None:
        self._http = http
        self._timeout_s = timeout_s

    async def place(
        self, version: Version, order: BaseModel, resource: type[Order], context: MessageContext
    ) -> Order:
        """Place an order; what fails is a problem: as orders said, or 503 (down), 504 (too slow), 502 (confused)."""
        body = order.model_dump_json(exclude_none=True)
        headers = {"content-type": "application/json"}
        path = f"{version.prefix}/orders"
        response = await self._call("POST", path, context, content=body, headers=headers)
        return _order_in(response, resource)

    async def find(
        self, version: Version, order_id: UUID, resource: type[Order], context: MessageContext
    ) -> Order:
        path = f"{version.prefix}/orders/{order_id}"
        return _order_in(await self._call("GET", path, context, headers={}), resource)

    async def cancel(
        self, version: Version, order_id: UUID, resource: type[Order], context: MessageContext
    ) -> Order:
        """Cancel an order; what fails is a problem, as for `place`."""
        path = f"{version.prefix}/orders/{order_id}/cancel"
        return _order_in(await self._call("POST", path, context, headers={}), resource)

    async def _call(
        self,
        method: str,
        path: str,
        context: MessageContext,
        *,
        headers: dict[str, str],
        content: str | None = None,
    ) -> Answer:
        headers = {**headers, **headers_of(context), "accept-encoding": "identity"}
        exchange = current_exchange()
        if exchange:
            headers |= exchange.passed_on()
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._http.stream(method, path, content=content, headers=headers) as response,
            ):
                if exchange:
                    exchange.heard(response.headers)
                return await _read(response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise unavailable("the orders service cannot be reached; try again") from error
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise ProblemError(
                504,
                f"the orders service did not answer within {self._timeout_s:g} seconds; "
                "whether it acted on the request is unknown",
                kind=TOO_SLOW,
            ) from error
        except httpx2.HTTPError as error:
            raise _unusable("broke off in mid-answer") from error


async def _current(request: Request) -> OrdersClient:
    client: OrdersClient = request.app.state.orders
    return client


Orders = Annotated[OrdersClient, Depends(_current)]  # endpoint parameter that receives the client


@asynccontextmanager
async def open_client(base_url: str, *, timeout_s: float) -> AsyncIterator[OrdersClient]:
    """Open a client of the orders service and close its connections at the end."""
    async with httpx2.AsyncClient(
        base_url=base_url,
        timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=KEEPALIVE_S),
        trust_env=False,  # a proxy meant for the outside has no business between two services
        # the usual authorities are read at once, be they needed or not
        verify=not base_url.startswith("http://"),
    ) as http:
        yield OrdersClient(http, timeout_s=timeout_s)


async def _read(response: httpx2.Response) -> Answer:
    """Return the answer, undecoded: what was not asked for, such as compression, is no answer."""
    if "content-length" in response.headers and "transfer-encoding" in response.headers:
        raise _unusable("told two lengths of its answer")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise _unusable(f"answered with more than {MAX_ANSWER_BYTES} bytes")
    return Answer(response.status_code, response.headers, bytes(body))


def _order_in(answer: Answer, resource: type[Order]) -> Order:
    try:
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return resource.model_validate_json(answer.body)
        if answer.is_problem:
            raise _passed_on(Problem.model_validate_json(answer.body), answer)
    except ValidationError as error:
        raise _unusable("answered with something else than an order or a problem") from error
    raise _unusable(f"answered with status {answer.status} and no problem")


def _passed_on(problem: Problem, answer: Answer) -> ProblemError:
    wait_s = answer.headers.get("retry-after", "")
    kinds = {kind.uri: kind for kind in (*SHARED, *API.problems)}
    return ProblemError(
        answer.status,
        problem.detail,
        kind=kinds.get(problem.type),
        errors=problem.errors or (),
        headers={"retry-after": wait_s} if _SECONDS.fullmatch(wait_s) else None,
        correlation_id=problem.correlation_id if REPLAYED in answer.headers else None,
    )


def _unusable(what: str) -> ProblemError:
    detail = f"the orders service {what}; whether it acted on the request is unknown"
    return ProblemError(502, detail, kind=BAD_GATEWAY)
