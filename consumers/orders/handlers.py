"""Translates what payments tells into commands to the orders service's own handlers."""

from cdc.database import Connection
from cdc.event_log import Snapshots
from cdc.outbox import Outbox
from consumers.runtime.delivery import Delivery
from consumers.runtime.handlers import handles
from producers.orders.domain import CancelOrder, ConfirmOrder, Order
from producers.orders.handlers import cancel_order, confirm_order
from schemas.messages.payments import PaymentCompleted, PaymentFailed


class OrderReactions:
    """Handlers of what happens to an order after it was placed.

    Args:
        outbox: Where orders tells what became of the order.
        snapshots: Takes a snapshot of the order when it is due.
    """

    def __init__(self, outbox: Outbox, snapshots: Snapshots[Order] | None = None) -> None:
        self._outbox = outbox
        self._snapshots = snapshots

    @handles(PaymentCompleted)
    async def confirm(
        self, payment: PaymentCompleted, delivery: Delivery, connection: Connection
    ) -> None:
        """Confirm the order that was paid."""
        command = ConfirmOrder(order_id=payment.order_id, payment_id=payment.payment_id)
        await confirm_order(
            connection, self._outbox, command, delivery.reaction(), snapshots=self._snapshots
        )

    @handles(PaymentFailed)
    async def cancel(
        self, payment: PaymentFailed, delivery: Delivery, connection: Connection
    ) -> None:
        """Cancel the order whose payment was refused."""
        command = CancelOrder(order_id=payment.order_id, reason=payment.reason.value)
        await cancel_order(
            connection, self._outbox, command, delivery.reaction(), snapshots=self._snapshots
        )
