"""Sends one order to the storefront, again where that is safe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from pydantic import ValidationError

from infra.demo.asking import Asker, NoAnswer, client, explain, words
from infra.demo.orders import DemoError, NewOrder
from schemas.rest.orders.v2 import Order


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

    def __init__(self, asker: Asker) -> None:
        self.replayed = 0  # orders that were placed by a POST whose answer was lost
        self._asker = asker

    async def send(self, order: NewOrder, correlation_id: str) -> Answer:
        """Send an order until there is an answer that stays."""
        headers = {
            "content-type": "application/json",
            "x-correlation-id": correlation_id,
            "idempotency-key": f'"{correlation_id}"',
        }
        match await self._asker.ask("POST", "/v2/orders", content=order.body(), headers=headers):
            case NoAnswer(reason, may_be_done=True):
                return Unknown(reason)
            case NoAnswer(reason):
                return Unsent(reason)
            case response:
                self.replayed += response.headers.get("idempotent-replayed") == "true"
                return _answer(response)


@asynccontextmanager
async def open_client(base_url: str, *, connections: int) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(base_url, connections=connections) as http:
        await _greet(http, base_url)
        yield http


async def _greet(http: httpx2.AsyncClient, base_url: str) -> None:
    try:
        response = await http.get("/health")
        response.raise_for_status()
    except httpx2.HTTPError as error:
        raise DemoError(
            f"The storefront at {base_url} does not answer ({words(error)}); "
            "start the stack with `make up`, or see `tailrace status`."
        ) from error


def _answer(response: httpx2.Response) -> Answer:
    if response.is_success:
        try:
            return Order.model_validate_json(response.content)
        except ValidationError:
            return Unknown(f"answer {response.status_code} is no order")
    if response.is_server_error:
        return Unknown(explain(response))
    return Refused(explain(response))
