"""What payments does about the events of orders, inside the transaction it is given."""

from collections.abc import Sequence

from consumers.payments import repository
from consumers.payments.cashier import Cashier
from consumers.payments.domain import Payment
from consumers.payments.processor import Charge
from schemas.messages.as_read_by_payments_worker import Fulfilment, OrderCreated
from schemas.messages.orders import OrderCancelled
from tailrace import BulkWork, Received, Work, handles, handles_in_bulk


class PaymentHandlers:
    """Handlers of the payments service for orders that are fulfilled by choreography."""

    def __init__(self, cashier: Cashier) -> None:
        self._cashier = cashier

    @handles_in_bulk(OrderCreated)
    async def charge_cards(
        self, received: Sequence[Received[OrderCreated]], work: BulkWork
    ) -> None:
        """Charge the cards for new orders; record the answers and tell of them."""
        causes = {
            each.message.order_id: each
            for each in received
            if each.message.fulfilment is Fulfilment.CHOREOGRAPHY
        }
        if not causes:
            return
        charges = {
            order_id: Charge(
                idempotency_key=str(order_id),
                customer_id=each.message.customer_id,
                amount=each.message.total,
                currency=each.message.currency,
            )
            for order_id, each in causes.items()
        }
        moved = await self._cashier.charge(charges, work)
        async with work.pipeline():
            for payment in moved.changed:
                await _append(payment, work.caused_by(causes[payment.order_id]))
            await repository.update(
                work.connection, [each.after(each.events()) for each in moved.changed]
            )

    @handles(OrderCancelled)
    async def give_back(self, order: OrderCancelled, work: Work) -> None:
        """Give back what was taken, or is held, for an order of either form."""
        payment, has_changed = await self._cashier.undo(order.order_id, work)
        if has_changed:
            async with work.pipeline():
                await _append(payment, work)
                await repository.update(work.connection, [payment.after(payment.events())])


async def _append(payment: Payment, work: Work) -> None:
    await work.append(
        payment.events(), aggregate_id=str(payment.payment_id), after_version=payment.version
    )
