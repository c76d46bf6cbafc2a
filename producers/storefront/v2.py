"""Version 2 of orders at the storefront: checked here, and asked of the orders service in the same version."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.requests import Request

from producers.rest.conditional import IfMatch, ShownAt
from producers.rest.context import Context
from producers.rest.created import CREATED, Location
from producers.rest.pages import LISTED, linked
from producers.rest.problems import REFUSALS, answers
from producers.rest.versions import version_router
from producers.storefront.orders_client import BEHIND, Orders
from producers.storefront.stock_check import Checked
from schemas.rest.orders import API, V2, v2
from schemas.rest.orders.v2 import ListOrders, Order, PlaceOrder

router = version_router(API, V2)


@router.post(
    "/orders",
    status_code=201,
    response_model_exclude_none=True,
    responses=CREATED | REFUSALS | answers(409) | BEHIND,
)
async def place(
    order: PlaceOrder, orders: Orders, stock: Checked, context: Context, location: Location
) -> Order:
    """Place an order. It starts as `pending`; follow the `Location` header to see it confirmed."""
    items = ((line.sku, line.quantity) for line in order.lines if not line.digital)
    short = await stock.require(items, context)
    placed = await orders.place(V2, order, Order, context, short_of=short)
    location.tell(placed.order_id)
    return placed


@router.get("/orders", response_model_exclude_none=True, responses=LISTED | BEHIND)
async def list_orders(
    asked: Annotated[ListOrders, Query()], orders: Orders, context: Context, request: Request
) -> v2.Orders:
    """List orders, newest first, without their lines."""
    page = await orders.list(V2, asked, v2.Orders, context)
    if page.next is None:
        return page
    return page.model_copy(update={"next": linked(page.next.partition("?")[2], request)})


@router.get("/orders/{order_id}", response_model_exclude_none=True, responses=answers(404) | BEHIND)
async def show(order_id: UUID, orders: Orders, context: Context, shown: ShownAt) -> Order:
    """Show an order as it stands."""
    order = await orders.find(V2, order_id, Order, context)
    shown.at(order.version)
    return order


@router.post(
    "/orders/{order_id}/cancel",
    response_model_exclude_none=True,
    responses=answers(404, 409, 412) | BEHIND,
)
async def cancel(order_id: UUID, orders: Orders, context: Context, wanted: IfMatch) -> Order:
    """Cancel an order that is not confirmed yet; what was done for it is undone. Asking again changes nothing."""
    return await orders.cancel(V2, order_id, Order, context, if_match=wanted)
