"""Version 1 of orders at the storefront: checked here, and asked of the orders service in the same version."""

from uuid import UUID

from producers.rest.conditional import ShownAt
from producers.rest.context import Context
from producers.rest.created import CREATED, Location
from producers.rest.problems import REFUSALS, answers
from producers.rest.versions import version_router
from producers.storefront.orders_client import BEHIND, Orders
from producers.storefront.stock_check import Checked
from schemas.rest.orders import API, V1
from schemas.rest.orders.v1 import Order, PlaceOrder

router = version_router(API, V1)


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
    short = await stock.require(((line.sku, line.quantity) for line in order.lines), context)
    placed = await orders.place(V1, order, Order, context, short_of=short)
    location.tell(placed.order_id)
    return placed


@router.get("/orders/{order_id}", response_model_exclude_none=True, responses=answers(404) | BEHIND)
async def show(order_id: UUID, orders: Orders, context: Context, shown: ShownAt) -> Order:
    """Show an order as it stands."""
    order = await orders.find(V1, order_id, Order, context)
    shown.at(order.version)
    return order
