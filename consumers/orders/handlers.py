"""Translates what payments tells into commands to the orders service's own handlers."""

from producers.orders.domain import CancelOrder, ConfirmOrder
from producers.orders.handlers import cancel_order, confirm_order
from schemas.messages.payments import PaymentCompleted, PaymentFailed
from tailrace import Work, handles


@handles(PaymentCompleted)
async def confirm(payment: PaymentCompleted, work: Work) -> None:
    command = ConfirmOrder(order_id=payment.order_id, payment_id=payment.payment_id)
    await confirm_order(command, work)


@handles(PaymentFailed)
async def cancel(payment: PaymentFailed, work: Work) -> None:
    command = CancelOrder(order_id=payment.order_id, reason=payment.reason.value)
    await cancel_order(command, work)
