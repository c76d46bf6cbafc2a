"""What goes wrong with orders, as problems: the errors of the domain and of the database."""

import psycopg
from fastapi import FastAPI
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from producers.orders.domain import InvalidOrderError
from producers.orders.handlers import OrderNotFoundError
from producers.rest.problems import ProblemError, response_of, unavailable
from schemas.rest.orders import ORDER_NOT_FOUND
from schemas.rest.problem import INVALID_REQUEST, UNAVAILABLE

RETRY_AFTER_S = 2


def install(app: FastAPI) -> None:
    """Answer the errors of the domain and of the database with problems."""

    @app.exception_handler(OrderNotFoundError)
    async def on_not_found(request: Request, error: OrderNotFoundError) -> Response:
        problem = ProblemError(404, str(error), kind=ORDER_NOT_FOUND)
        return response_of(problem, request)

    @app.exception_handler(InvalidOrderError)
    async def on_invalid(request: Request, error: InvalidOrderError) -> Response:
        problem = ProblemError(422, str(error), kind=INVALID_REQUEST)
        return response_of(problem, request)

    @app.exception_handler(PoolTimeout)
    async def on_no_connection(request: Request, _: PoolTimeout) -> Response:
        problem = unavailable(
            "the orders database cannot be reached; nothing was done, try again",
            retry_after_s=RETRY_AFTER_S,
        )
        return response_of(problem, request)

    @app.exception_handler(psycopg.OperationalError)
    async def on_database_error(request: Request, error: psycopg.OperationalError) -> Response:
        # With an SQLSTATE the server itself said no and rolled back; without one the connection
        # broke, and that may have been between the commit and the word of it.
        if error.sqlstate:
            return response_of(unavailable(f"the orders database refused: {error}"), request)
        detail = (
            "the connection to the orders database broke; whether the order was kept is unknown"
        )
        return response_of(ProblemError(503, detail, kind=UNAVAILABLE), request)
