"""What goes wrong with orders, as problems: the errors of the domain."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from producers.orders.domain import InvalidOrderError, OrderStateError
from producers.orders.handlers import OrderChangedError, OrderNotFoundError
from producers.rest.conditional import changed_meanwhile
from producers.rest.problems import ProblemError, response_of
from schemas.rest.orders import ORDER_DECIDED, ORDER_NOT_FOUND
from schemas.rest.problem import INVALID_REQUEST


def install(app: FastAPI) -> None:
    @app.exception_handler(OrderNotFoundError)
    async def on_not_found(request: Request, error: OrderNotFoundError) -> Response:
        return response_of(ProblemError(404, str(error), kind=ORDER_NOT_FOUND), request)

    @app.exception_handler(OrderStateError)
    async def on_decided(request: Request, error: OrderStateError) -> Response:
        return response_of(ProblemError(409, str(error), kind=ORDER_DECIDED), request)

    @app.exception_handler(OrderChangedError)
    async def on_changed(request: Request, _: OrderChangedError) -> Response:
        return response_of(changed_meanwhile(), request)

    @app.exception_handler(InvalidOrderError)
    async def on_invalid(request: Request, error: InvalidOrderError) -> Response:
        return response_of(ProblemError(422, str(error), kind=INVALID_REQUEST), request)
