"""Translates what the participants of a fulfilment tell into commands to the orders service's own handlers.

The order decides whether it is still about it: what comes after a decision is noted, and changes nothing.
"""

from collections.abc import Sequence

from producers.orders.domain import CancelOrder, Progress
from producers.orders.handlers import advance_orders, cancel_order
from schemas.messages.inventory import OutOfStock
from schemas.messages.payments import PaymentCompleted, PaymentFailed
from schemas.messages.shipping import ShipmentCreated, ShipmentRejected
from tailrace import BulkWork, Received, Work, handles, handles_in_bulk

OUT_OF_STOCK = "out_of_stock"


@handles_in_bulk(PaymentCompleted)
async def on_paid(received: Sequence[Received[PaymentCompleted]], work: BulkWork) -> None:
    # of one that is told of twice, what was heard first stays
    news = {
        each.message.order_id: (
            Progress(payment_id=each.message.payment_id),
            work.caused_by(each),
        )
        for each in reversed(received)
    }
    await advance_orders(news, work)


@handles_in_bulk(ShipmentCreated)
async def on_sent(received: Sequence[Received[ShipmentCreated]], work: BulkWork) -> None:
    news = {
        each.message.order_id: (
            Progress(shipment_id=each.message.shipment_id),
            work.caused_by(each),
        )
        for each in reversed(received)
    }
    await advance_orders(news, work)


@handles(PaymentFailed)
async def on_not_paid(payment: PaymentFailed, work: Work) -> None:
    await cancel_order(CancelOrder(order_id=payment.order_id, reason=payment.reason.value), work)


@handles(OutOfStock)
async def on_out_of_stock(refusal: OutOfStock, work: Work) -> None:
    await cancel_order(CancelOrder(order_id=refusal.order_id, reason=OUT_OF_STOCK), work)


@handles(ShipmentRejected)
async def on_not_sent(shipment: ShipmentRejected, work: Work) -> None:
    await cancel_order(CancelOrder(order_id=shipment.order_id, reason=shipment.reason), work)
