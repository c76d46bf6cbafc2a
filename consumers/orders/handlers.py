"""Translates what the participants of a fulfilment tell into commands to the orders service's own handlers.

The order decides whether it is still about it: what comes after a decision is noted, and changes nothing.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from producers.orders.domain import CancelOrder, Progress
from producers.orders.handlers import advance_orders, cancel_order
from schemas.messages.inventory import OutOfStock
from schemas.messages.payments import PaymentCompleted, PaymentFailed
from schemas.messages.shipping import ShipmentCreated, ShipmentRejected
from tailrace import BulkWork, Received, Work, handles, handles_in_bulk

OUT_OF_STOCK = "out_of_stock"

M = TypeVar("M", PaymentCompleted, ShipmentCreated)


@handles_in_bulk(PaymentCompleted)
async def on_paid(received: Sequence[Received[PaymentCompleted]], work: BulkWork) -> None:
    await _advance(received, work, lambda payment: Progress(payment_id=payment.payment_id))


@handles_in_bulk(ShipmentCreated)
async def on_sent(received: Sequence[Received[ShipmentCreated]], work: BulkWork) -> None:
    await _advance(received, work, lambda shipment: Progress(shipment_id=shipment.shipment_id))


@handles(PaymentFailed)
async def on_not_paid(payment: PaymentFailed, work: Work) -> None:
    await cancel_order(CancelOrder(order_id=payment.order_id, reason=payment.reason.value), work)


@handles(OutOfStock)
async def on_out_of_stock(refusal: OutOfStock, work: Work) -> None:
    await cancel_order(CancelOrder(order_id=refusal.order_id, reason=OUT_OF_STOCK), work)


@handles(ShipmentRejected)
async def on_not_sent(shipment: ShipmentRejected, work: Work) -> None:
    await cancel_order(CancelOrder(order_id=shipment.order_id, reason=shipment.reason), work)


async def _advance(
    received: Sequence[Received[M]], work: BulkWork, heard: Callable[[M], Progress]
) -> None:
    # of one that is told of twice, what was heard first stays
    news = {
        each.message.order_id: (heard(each.message), work.caused_by(each))
        for each in reversed(received)
    }
    await advance_orders(news, work)
