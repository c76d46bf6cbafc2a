"""Translates what the participants of a fulfilment tell into commands to the orders service's own handlers.

The order decides whether it is still about it: what comes after a decision is noted, and changes nothing.
"""

from producers.orders.domain import CancelOrder, Progress
from producers.orders.handlers import advance_order, cancel_order
from schemas.messages.inventory import OutOfStock
from schemas.messages.payments import PaymentCompleted, PaymentFailed
from schemas.messages.shipping import ShipmentCreated, ShipmentRejected
from tailrace import Work, handles

OUT_OF_STOCK = "out_of_stock"


@handles(PaymentCompleted)
async def on_paid(payment: PaymentCompleted, work: Work) -> None:
    await advance_order(payment.order_id, Progress(payment_id=payment.payment_id), work)


@handles(ShipmentCreated)
async def on_sent(shipment: ShipmentCreated, work: Work) -> None:
    await advance_order(shipment.order_id, Progress(shipment_id=shipment.shipment_id), work)


@handles(PaymentFailed)
async def on_not_paid(payment: PaymentFailed, work: Work) -> None:
    await cancel_order(CancelOrder(order_id=payment.order_id, reason=payment.reason.value), work)


@handles(OutOfStock)
async def on_out_of_stock(refusal: OutOfStock, work: Work) -> None:
    await cancel_order(CancelOrder(order_id=refusal.order_id, reason=OUT_OF_STOCK), work)


@handles(ShipmentRejected)
async def on_not_sent(shipment: ShipmentRejected, work: Work) -> None:
    await cancel_order(CancelOrder(order_id=shipment.order_id, reason=shipment.reason), work)
