"""Version 2 of orders: what it asks for as a command, and any order as it shows it, with the tax apart."""

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import TypeAdapter
from starlette.requests import Request

from producers.orders import domain, listing
from producers.orders.domain import BY_CUSTOMER, CancelOrder
from producers.orders.handlers import cancel_order, find_order, place_order
from producers.orders.listing import ListedOrder, Wanted
from producers.orders.parameters import DefaultForm, ShortOf, require_stock
from producers.orders.users_client import Users
from producers.rest.conditional import ShownAt, WantedVersions
from producers.rest.context import Context
from producers.rest.created import CREATED, Location
from producers.rest.pages import LISTED, Pages
from producers.rest.problems import REFUSALS, answers
from producers.rest.storage import Stored
from producers.rest.versions import version_router
from schemas.messages.orders import Fulfilment, OrderLine, Pricing
from schemas.rest.orders import API, V2
from schemas.rest.orders.v2 import (
    ListOrders,
    Order,
    Orders,
    OrderSummary,
    PlacedLine,
    PlaceOrder,
)

router = version_router(API, V2)

NEWEST_FIRST = Pages(TypeAdapter(listing.Position), listing.position_of)


@router.post(
    "/orders",
    status_code=201,
    response_model_exclude_none=True,
    responses=CREATED | REFUSALS | answers(409, 503, 504),
)
async def place(
    order: PlaceOrder,
    storage: Stored,
    users: Users,
    context: Context,
    location: Location,
    form: DefaultForm,
    short_of: ShortOf,
) -> Order:
    """Place an order. The unit prices of a customer who is a user are reduced as their tier has it."""
    await require_stock(short_of, storage)
    if users.asks_about(order.customer_id):
        await storage.answer_again()
    standing = await users.standing(order.customer_id, context)  # before a connection is taken
    async with storage.work(context) as work:
        placed = await place_order(to_command(order, form, standing), work)
    location.tell(placed.order_id)
    return to_resource(placed)


@router.get("/orders", response_model_exclude_none=True, responses=LISTED | answers(503, 504))
async def list_orders(
    asked: Annotated[ListOrders, Query()], storage: Stored, request: Request
) -> Orders:
    """List orders, newest first, without their lines."""
    wanted = Wanted(**asked.model_dump(exclude={"limit", "cursor"}))
    after = NEWEST_FIRST.after(asked, request)
    async with storage.connection() as connection:
        found = await listing.find(connection, wanted, after=after, limit=asked.limit + 1)
    page = NEWEST_FIRST.page(found, asked, request)
    return Orders(orders=tuple(map(to_summary, page.rows)), next=page.next)


@router.get(
    "/orders/{order_id}", response_model_exclude_none=True, responses=answers(404, 503, 504)
)
async def show(order_id: UUID, storage: Stored, shown: ShownAt) -> Order:
    """Show an order as it stands."""
    async with storage.connection() as connection:
        order = await find_order(connection, order_id)
    shown.at(order.version)
    return to_resource(order)


@router.post(
    "/orders/{order_id}/cancel",
    response_model_exclude_none=True,
    responses=answers(404, 409, 412, 503, 504),
)
async def cancel(
    order_id: UUID, storage: Stored, context: Context, wanted: WantedVersions
) -> Order:
    """Cancel an order that is not confirmed yet. Asking again changes nothing."""
    async with storage.work(context) as work:
        command = CancelOrder(order_id=order_id, reason=BY_CUSTOMER)
        return to_resource(await cancel_order(command, work, at_versions=wanted))


def to_command(
    order: PlaceOrder,
    form: Fulfilment = Fulfilment.CHOREOGRAPHY,
    standing: domain.Standing | None = None,
) -> domain.PlaceOrder:
    lines = tuple(
        OrderLine(
            sku=line.sku,
            quantity=line.quantity,
            unit_price=line.unit_price,
            tax_rate=line.tax_rate,
            digital=line.digital,
        )
        for line in order.lines
    )
    return domain.PlaceOrder(
        customer_id=order.customer_id,
        currency=order.currency,
        lines=lines,
        fulfilment=Fulfilment(order.fulfilment or form),
        standing=standing,
    )


def to_resource(order: domain.Order) -> Order:
    lines = tuple(
        PlacedLine(
            sku=line.sku,
            quantity=line.quantity,
            unit_price=line.unit_price,
            tax_rate=line.tax_rate or Decimal(0),
            tax=line.tax or Decimal(0),
            digital=line.digital,
        )
        for line in order.lines
    )
    return Order(
        order_id=order.order_id,
        status=order.status.value,
        customer_id=order.customer_id,
        currency=order.currency,
        lines=lines,
        net=order.net,
        tax=order.tax,
        total=order.total,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        version=order.version,
        payment_id=order.payment_id,
        cancel_reason=order.cancel_reason,
        fulfilment=order.fulfilment.value,
        **_priced(order.pricing),
    )


def to_summary(order: ListedOrder) -> OrderSummary:
    return OrderSummary.model_validate(order, from_attributes=True)


def _priced(pricing: Pricing | None) -> dict[str, Any]:
    if pricing is None:
        return {}
    source = "fallback" if pricing.is_fallback else "loyalty"
    return {"tier": pricing.tier, "tier_source": source, "discount": pricing.discount}
