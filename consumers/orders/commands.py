"""What orders does about the commands of whoever orchestrates a fulfilment, and what it answers.

The answer tells how the order was decided, by this command or before it.
"""

from collections.abc import Sequence

from producers.orders import domain
from producers.orders.handlers import decide_orders
from schemas.messages.orders import CancelOrder, ConfirmOrder
from tailrace import BulkWork, Received, handles_in_bulk

Command = ConfirmOrder | CancelOrder


@handles_in_bulk(ConfirmOrder, CancelOrder)
async def decide(received: Sequence[Received[Command]], work: BulkWork) -> None:
    wishes = [(_wish(each.message), work.caused_by(each)) for each in received]
    orders = await decide_orders(wishes, work)
    await work.reply_many(
        (each, order.decision()) for each, order in zip(received, orders, strict=True)
    )


def _wish(command: Command) -> domain.ConfirmOrder | domain.CancelOrder:
    match command:
        case ConfirmOrder():
            return domain.ConfirmOrder(order_id=command.order_id, payment_id=command.payment_id)
        case CancelOrder():
            return domain.CancelOrder(order_id=command.order_id, reason=command.reason)
