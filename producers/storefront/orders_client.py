"""What the storefront asks of the orders service, and what its answers say."""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel, ValidationError

from cdc.context import MessageContext
from producers.calling.answer import Answer, unusable
from producers.calling.client import ServiceClient
from producers.rest.idempotency.exchange import REPLAYED, current_exchange
from producers.rest.problems import ProblemError, answers
from producers.rest.state import of_state
from schemas.rest.orders import API
from schemas.rest.orders import short_of as short
from schemas.rest.pages import AskForPage
from schemas.rest.problem import SHARED, Problem
from schemas.rest.versions import Version

NAME = "orders"
BEHIND = answers(502, 503, 504)
"""What the API description says about answers of whoever asks the orders service."""

Order = TypeVar("Order", bound=BaseModel)


class OrdersClient:
    """Places and finds orders at the orders service, each in the version that the storefront was asked in."""

    def __init__(self, service: ServiceClient) -> None:
        self._service = service

    async def place(
        self,
        version: Version,
        order: BaseModel,
        resource: type[Order],
        context: MessageContext,
        *,
        short_of: Sequence[str] = (),
    ) -> Order:
        """Place an order; what fails is a problem: as orders said, or 503 (down), 504 (too slow), 502 (confused).

        Args:
            short_of: Articles of which there is too little, unless the order was placed before.
        """
        body = order.model_dump_json(exclude_none=True).encode()
        headers = {"content-type": "application/json"}
        if short_of:
            headers[short.HEADER] = short.written(short_of)
        path = f"{version.prefix}/orders"
        answer = await self._post(path, context, content=body, headers=headers)
        return _order_in(answer, resource)

    async def find(
        self, version: Version, order_id: UUID, resource: type[Order], context: MessageContext
    ) -> Order:
        path = f"{version.prefix}/orders/{order_id}"
        return _order_in(await self._service.call("GET", path, context), resource)

    async def list(
        self, version: Version, asked: AskForPage, resource: type[Order], context: MessageContext
    ) -> Order:
        """Return a page of orders; what fails is a problem, as for `place`."""
        query = urlencode(asked.model_dump(mode="json", exclude_none=True))
        path = f"{version.prefix}/orders?{query}"
        return _order_in(await self._service.call("GET", path, context), resource)

    async def cancel(
        self,
        version: Version,
        order_id: UUID,
        resource: type[Order],
        context: MessageContext,
        *,
        if_match: str | None,
    ) -> Order:
        """Cancel an order; what fails is a problem, as for `place`.

        Args:
            if_match: How the order has to be for that; the orders service judges it.
        """
        path = f"{version.prefix}/orders/{order_id}/cancel"
        headers = {} if if_match is None else {"if-match": if_match}
        return _order_in(await self._post(path, context, headers=headers), resource)

    async def _post(
        self,
        path: str,
        context: MessageContext,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Call under the key that the request came with, so that it may be called again."""
        exchange = current_exchange()
        sent = {**(headers or {}), **(exchange.passed_on() if exchange else {})}
        answer = await self._service.call("POST", path, context, headers=sent, content=content)
        if exchange:
            exchange.heard(answer.headers)
        return answer


Orders = Annotated[OrdersClient, of_state("orders")]  # endpoint parameter that receives the client


def _order_in(answer: Answer, resource: type[Order]) -> Order:
    try:
        if answer.is_success:
            return resource.model_validate_json(answer.body)
        if answer.is_problem:
            raise _passed_on(Problem.model_validate_json(answer.body), answer)
    except ValidationError as error:
        raise unusable(NAME, "answered with something else than an order or a problem") from error
    raise unusable(NAME, f"answered with status {answer.status} and no problem")


def _passed_on(problem: Problem, answer: Answer) -> ProblemError:
    wait_s = answer.retry_after_s
    kinds = {kind.uri: kind for kind in (*SHARED, *API.problems)}
    return ProblemError(
        answer.status,
        problem.detail,
        kind=kinds.get(problem.type),
        errors=problem.errors or (),
        headers=None if wait_s is None else {"retry-after": str(wait_s)},
        correlation_id=problem.correlation_id if REPLAYED in answer.headers else None,
    )
