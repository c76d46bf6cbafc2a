"""Version 2 of orders at the storefront: checked here, and asked of the orders service in the same version."""

from uuid import UUID

from producers.rest.context import Context
from producers.rest.created import CREATED, Location
from producers.rest.problems import REFUSALS, answers
from producers.rest.versions import version_router
from producers.storefront.orders_client import BEHIND, Orders
from schemas.rest.orders import API, V2
from schemas.rest.orders.v2 import Order, PlaceOrder

router = version_router(API, V2)


@router.post(
    "/orders",
    status_code=201,
    response_model_exclude_none=True,
    responses=CREATED | REFUSALS | BEHIND,
)
async def place(order: PlaceOrder, orders: Orders, context: Context, location: Location) -> Order:
    """Place an order. It starts as `pending`; follow the `Location` header to see it confirmed."""
    placed = await orders.place(V2, order, Order, context)
    location.tell(placed.order_id)
    return placed


@router.get("/orders/{order_id}", response_model_exclude_none=True, responses=answers(404) | BEHIND)
async def show(order_id: UUID, orders: Orders, context: Context) -> Order:
    """Show an order as it stands."""
    return await orders.find(V2, order_id, Order, context)
