"""How an order is fulfilled, step by step, and how each step is undone.

The payment is authorised, the items are set aside and the shipment is made; then the order is confirmed, and its money
taken. The order decides: once it is confirmed nothing is undone any more, and what was cancelled before that is. What
orders tells everybody of its decision names the command as its cause, as the reply does: whichever comes first counts.
"""

from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from schemas.messages import inventory, shipping
from schemas.messages.inventory import (
    ItemsReleased,
    ItemsReserved,
    OutOfStock,
    ReleaseItems,
    ReserveItems,
)
from schemas.messages.orders import (
    CancelOrder,
    ConfirmOrder,
    Fulfilment,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
)
from schemas.messages.payments import (
    AuthorisePayment,
    CapturePayment,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentVoided,
    VoidPayment,
)
from schemas.messages.shipping import (
    CancelShipment,
    CreateShipment,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentRejected,
)
from tailrace import Ask, Pivot, Saga, Step

OUT_OF_STOCK = "out_of_stock"
NOT_FULFILLED = (
    "not_fulfilled"  # no participant has said why: one did not answer, or an operator gave it up
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What has to be known of an order to fulfil it.

    Args:
        items: Units by SKU of what has to be sent; none of an order of digital lines only.
        payment_id: The payment, once it is authorised.
        reason: Why the order is given up; empty when it is not.
    """

    order_id: UUID
    customer_id: str
    currency: str
    total: Decimal
    items: dict[str, int]
    payment_id: UUID | None = None
    reason: str = ""


def order_fulfilment(within_s: float) -> Saga[Order]:
    """Return the saga.

    Args:
        within_s: How long an answer may take, in seconds.
    """
    return Saga(
        "order-fulfilment",
        version=1,
        state=Order,
        replies_to="fulfilment.replies",
        starts={OrderCreated: begun},
        steps=[
            Step("order", undo=Ask(cancel, OrderCancelled, within_s=within_s)),
            Step(
                "payment",
                do=Ask(
                    authorise,
                    {PaymentAuthorised: authorised},
                    refused={PaymentDeclined: declined},
                    within_s=within_s,
                ),
                undo=Ask(void, PaymentVoided, within_s=within_s),
            ),
            Step(
                "items",
                when=needs_sending,
                do=Ask(
                    reserve, ItemsReserved, refused={OutOfStock: out_of_stock}, within_s=within_s
                ),
                undo=Ask(release, ItemsReleased, within_s=within_s),
            ),
            Step(
                "shipment",
                when=needs_sending,
                do=Ask(
                    ship, ShipmentCreated, refused={ShipmentRejected: rejected}, within_s=within_s
                ),
                undo=Ask(cancel_shipment, ShipmentCancelled, within_s=within_s),
            ),
            Pivot(
                Step(
                    "confirmation",
                    do=Ask(
                        confirm,
                        OrderConfirmed,
                        refused={OrderCancelled: cancelled},
                        within_s=within_s,
                    ),
                )
            ),
            Step(
                "capture",
                do=Ask(
                    capture, PaymentCaptured, refused={PaymentDeclined: declined}, within_s=within_s
                ),
            ),
        ],
        cancelled_by={OrderCancelled: cancelled},
        because=given_up,
    )


def begun(order: OrderCreated) -> Order | None:
    """Return what has to be known of an order; None of one that is fulfilled by choreography."""
    if order.fulfilment is not Fulfilment.ORCHESTRATION:
        return None
    items: Counter[str] = Counter()
    for line in order.lines:
        if not line.digital:
            items[line.sku] += line.quantity
    return Order(
        order_id=order.order_id,
        customer_id=order.customer_id,
        currency=order.currency,
        total=order.total,
        items=dict(items),
    )


def needs_sending(order: Order) -> bool:
    return bool(order.items)


def authorise(order: Order) -> AuthorisePayment:
    return AuthorisePayment(
        order_id=order.order_id,
        customer_id=order.customer_id,
        currency=order.currency,
        amount=order.total,
    )


def authorised(order: Order, reply: PaymentAuthorised) -> Order:
    return replace(order, payment_id=reply.payment_id)


def declined(order: Order, reply: PaymentDeclined) -> Order:
    return replace(order, reason=reply.reason)


def void(order: Order) -> VoidPayment:
    return VoidPayment(order_id=order.order_id)


def reserve(order: Order) -> ReserveItems:
    items = tuple(inventory.Item(sku=sku, quantity=units) for sku, units in order.items.items())
    return ReserveItems(order_id=order.order_id, items=items)


def out_of_stock(order: Order, _: OutOfStock) -> Order:
    return replace(order, reason=OUT_OF_STOCK)


def release(order: Order) -> ReleaseItems:
    return ReleaseItems(order_id=order.order_id)


def ship(order: Order) -> CreateShipment:
    items = tuple(shipping.Item(sku=sku, quantity=units) for sku, units in order.items.items())
    return CreateShipment(order_id=order.order_id, items=items)


def rejected(order: Order, reply: ShipmentRejected) -> Order:
    return replace(order, reason=reply.reason)


def cancel_shipment(order: Order) -> CancelShipment:
    return CancelShipment(order_id=order.order_id)


def confirm(order: Order) -> ConfirmOrder:
    if order.payment_id is None:
        raise AssertionError(f"order {order.order_id} is to be confirmed without a payment")
    return ConfirmOrder(order_id=order.order_id, payment_id=order.payment_id)


def cancelled(order: Order, message: OrderCancelled) -> Order:
    return replace(order, reason=message.reason)


def given_up(order: Order, _: str) -> Order:
    return replace(order, reason=order.reason or NOT_FULFILLED)


def cancel(order: Order) -> CancelOrder:
    return CancelOrder(order_id=order.order_id, reason=order.reason)


def capture(order: Order) -> CapturePayment:
    return CapturePayment(order_id=order.order_id)
