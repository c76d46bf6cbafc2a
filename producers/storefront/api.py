"""The public REST API."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from producers.rest.body import JsonRoute
from producers.rest.context import Context
from producers.storefront.orders_client import OrdersClient
from schemas.rest.orders import Order, PlaceOrder


async def _orders(request: Request) -> OrdersClient:
    client: OrdersClient = request.app.state.orders
    return client


Orders = Annotated[OrdersClient, Depends(_orders)]
router = APIRouter(route_class=JsonRoute)


@router.get("/")
async def index() -> dict[str, str]:
    """Say where everything is."""
    return {
        "orders": "/v1/orders",
        "order": "/v1/orders/{order_id}",
        "health": "/health",
        "docs": "/docs",
        "description": "/openapi.json",
    }


@router.post("/v1/orders", status_code=201, response_model_exclude_none=True)
async def place(order: PlaceOrder, orders: Orders, context: Context, response: Response) -> Order:
    """Place an order. It starts as `pending`; follow the `Location` header to see it confirmed."""
    placed = await orders.place(order, context)
    response.headers["location"] = f"/v1/orders/{placed.order_id}"
    return placed


@router.get("/v1/orders/{order_id}", response_model_exclude_none=True)
async def show(order_id: UUID, orders: Orders, context: Context) -> Order:
    """Show an order as it stands."""
    return await orders.find(order_id, context)


@router.get("/health")
async def health() -> dict[str, str]:
    """Say whether requests are served. Nothing behind the storefront is asked: it answers for itself."""
    return {"status": "ok"}
