"""What payments does about each message, inside the transaction it is given."""

from consumers.payments.domain import Payment
from consumers.payments.processor import CardProcessor, Charge
from schemas.messages.as_read_by_payments_worker import OrderCreated
from tailrace import Connection, Work, handles, load_queries, new_id

QUERIES = load_queries(__package__)


class PaymentHandlers:
    """Handlers of the payments service."""

    def __init__(self, processor: CardProcessor) -> None:
        self._processor = processor

    @handles(OrderCreated)
    async def charge_card(self, order: OrderCreated, work: Work) -> None:
        """Charge the card for a new order; record the answer and tell of it.

        The processor may be asked twice when the transaction fails after its answer, which is why it gets the order
        as its idempotency key.
        """
        declined = await self._processor.charge(
            Charge(
                idempotency_key=str(order.order_id),
                customer_id=order.customer_id,
                amount=order.total,
                currency=order.currency,
            )
        )
        payment = Payment(
            payment_id=new_id(),
            order_id=order.order_id,
            currency=order.currency,
            amount=order.total,
            declined=declined,
            settled_at=work.now(),
        )
        async with work.pipeline():
            await _insert(work.connection, payment)
            await work.append(
                [payment.event()], aggregate_id=str(payment.payment_id), after_version=0
            )


async def _insert(connection: Connection, payment: Payment) -> None:
    await connection.execute(
        QUERIES["insert_payment"],
        {
            "payment_id": payment.payment_id,
            "order_id": payment.order_id,
            "currency": payment.currency,
            "amount": payment.amount,
            "status": payment.status,
            "decline_reason": payment.declined,
            "settled_at": payment.settled_at,
        },
    )
