"""The REST side of the orders service: contract models in, one transaction, contract models out."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, FastAPI
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from cdc.database import Pool
from cdc.outbox import Outbox
from producers.orders import domain, handlers
from producers.rest.body import JsonRoute
from producers.rest.context import Context
from producers.rest.problems import ProblemError, response_of, unavailable
from schemas.messages.orders import OrderLine
from schemas.rest.orders import Order, PlacedLine, PlaceOrder
from schemas.rest.problem import ProblemType

RETRY_AFTER_S = 2


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the endpoints write."""

    pool: Pool
    outbox: Outbox


async def _storage(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage


Orders = Annotated[Storage, Depends(_storage)]
router = APIRouter(route_class=JsonRoute)


@router.post("/v1/orders", status_code=201, response_model_exclude_none=True)
async def place(order: PlaceOrder, orders: Orders, context: Context, response: Response) -> Order:
    """Place an order."""
    command = to_command(order)
    async with orders.pool.connection() as connection, connection.transaction():
        placed = await handlers.place_order(connection, orders.outbox, command, context)
    response.headers["location"] = f"/v1/orders/{placed.order_id}"
    return to_resource(placed)


@router.get("/v1/orders/{order_id}", response_model_exclude_none=True)
async def show(order_id: UUID, orders: Orders) -> Order:
    """Show an order as it stands."""
    async with orders.pool.connection() as connection:
        return to_resource(await handlers.find_order(connection, order_id))


@router.get("/health")
async def health(orders: Orders) -> dict[str, str]:
    """Say whether orders can be taken: the database answers."""
    async with orders.pool.connection() as connection:
        await connection.execute("select 1")
    return {"status": "ok"}


def to_command(order: PlaceOrder) -> domain.PlaceOrder:
    """Return the command that a request body asks for."""
    lines = tuple(
        OrderLine(sku=line.sku, quantity=line.quantity, unit_price=line.unit_price)
        for line in order.lines
    )
    return domain.PlaceOrder(customer_id=order.customer_id, currency=order.currency, lines=lines)


def to_resource(order: domain.Order) -> Order:
    """Return an order as clients see it."""
    lines = tuple(
        PlacedLine(sku=line.sku, quantity=line.quantity, unit_price=line.unit_price)
        for line in order.lines
    )
    return Order(
        order_id=order.order_id,
        status=order.status.value,
        customer_id=order.customer_id,
        currency=order.currency,
        lines=lines,
        total=order.total,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        version=order.version,
        payment_id=order.payment_id,
        cancel_reason=order.cancel_reason,
    )


def install_problems(app: FastAPI) -> None:
    """Answer the errors of the domain and of the database with problems."""

    @app.exception_handler(handlers.OrderNotFoundError)
    async def on_not_found(request: Request, error: handlers.OrderNotFoundError) -> Response:
        problem = ProblemError(404, str(error), kind=ProblemType.ORDER_NOT_FOUND)
        return response_of(problem, request)

    @app.exception_handler(domain.InvalidOrderError)
    async def on_invalid(request: Request, error: domain.InvalidOrderError) -> Response:
        problem = ProblemError(422, str(error), kind=ProblemType.INVALID_REQUEST)
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
        return response_of(ProblemError(503, detail, kind=ProblemType.UNAVAILABLE), request)
