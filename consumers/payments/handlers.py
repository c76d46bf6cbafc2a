"""What payments does about each message, inside the transaction it is given."""

from datetime import UTC, datetime

from cdc.database import Connection
from cdc.ids import new_id
from cdc.outbox import Outbox
from cdc.sql import load_queries
from consumers.payments.domain import Payment
from consumers.payments.processor import CardProcessor, Charge
from consumers.runtime.delivery import Delivery
from consumers.runtime.handlers import handles
from schemas.messages.as_read_by_payments_worker import OrderCreated

QUERIES = load_queries(__package__)


class PaymentHandlers:
    """Handlers of the payments service.

    Args:
        processor: Moves the money.
        outbox: Where payments tells what came of it.
    """

    def __init__(self, processor: CardProcessor, outbox: Outbox) -> None:
        self._processor = processor
        self._outbox = outbox

    @handles(OrderCreated)
    async def charge_card(
        self, order: OrderCreated, delivery: Delivery, connection: Connection
    ) -> None:
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
            settled_at=datetime.now(UTC),
        )
        async with self._outbox.pipeline(connection):
            await _insert(connection, payment)
            await self._outbox.append(
                connection,
                [payment.event()],
                aggregate_id=str(payment.payment_id),
                after_version=0,
                context=delivery.reaction(),
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
