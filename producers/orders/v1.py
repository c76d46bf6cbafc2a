"""Version 1 of orders: what it asks for as a command, and any order as it shows it, with the tax in the prices."""

from collections.abc import Iterator
from uuid import UUID

from producers.orders import domain
from producers.orders.handlers import find_order, place_order
from producers.orders.parameters import DefaultForm, ShortOf, require_stock
from producers.rest.conditional import ShownAt
from producers.rest.context import Context
from producers.rest.created import CREATED, Location
from producers.rest.problems import REFUSALS, answers
from producers.rest.storage import Stored
from producers.rest.versions import version_router
from schemas.messages.orders import Fulfilment, OrderLine
from schemas.money.amounts import in_currency, minor_unit
from schemas.rest.orders import API, V1
from schemas.rest.orders.v1 import Order, PlacedLine, PlaceOrder

router = version_router(API, V1)


@router.post(
    "/orders",
    status_code=201,
    response_model_exclude_none=True,
    responses=CREATED | REFUSALS | answers(409, 503, 504),
)
async def place(
    order: PlaceOrder,
    storage: Stored,
    context: Context,
    location: Location,
    form: DefaultForm,
    short_of: ShortOf,
) -> Order:
    """Place an order."""
    await require_stock(short_of, storage)
    async with storage.work(context) as work:
        placed = await place_order(to_command(order, form), work)
    location.tell(placed.order_id)
    return to_resource(placed)


@router.get(
    "/orders/{order_id}", response_model_exclude_none=True, responses=answers(404, 503, 504)
)
async def show(order_id: UUID, storage: Stored, shown: ShownAt) -> Order:
    """Show an order as it stands."""
    async with storage.connection() as connection:
        order = await find_order(connection, order_id)
    shown.at(order.version)
    return to_resource(order)


def to_command(order: PlaceOrder, form: Fulfilment = Fulfilment.CHOREOGRAPHY) -> domain.PlaceOrder:
    lines = tuple(
        OrderLine(sku=line.sku, quantity=line.quantity, unit_price=line.unit_price)
        for line in order.lines
    )
    return domain.PlaceOrder(
        customer_id=order.customer_id, currency=order.currency, lines=lines, fulfilment=form
    )


def to_resource(order: domain.Order) -> Order:
    return Order(
        order_id=order.order_id,
        status=order.status.value,
        customer_id=order.customer_id,
        currency=order.currency,
        lines=tuple(shown for line in order.lines for shown in with_tax(line, order.currency)),
        total=order.total,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        version=order.version,
        payment_id=order.payment_id,
        cancel_reason=order.cancel_reason,
    )


def with_tax(line: OrderLine, currency: str) -> Iterator[PlacedLine]:
    """Yield a line with its tax in its unit price: as two, a minor unit apart, where it does not divide evenly."""
    if not line.tax:
        yield PlacedLine(sku=line.sku, quantity=line.quantity, unit_price=line.unit_price)
        return
    unit = minor_unit(currency)
    tax, dearer = divmod(int(line.tax / unit), line.quantity)
    lower = in_currency(line.unit_price + tax * unit, currency)
    for quantity, price in ((line.quantity - dearer, lower), (dearer, lower + unit)):
        if quantity:
            yield PlacedLine(sku=line.sku, quantity=quantity, unit_price=price)
