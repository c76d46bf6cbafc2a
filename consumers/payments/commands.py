"""What payments does about the commands of whoever orchestrates a fulfilment, and what it answers.

A command that comes again is answered again, from how the payment stands.
"""

from collections.abc import Sequence

from consumers.payments import repository
from consumers.payments.cashier import Cashier
from consumers.payments.domain import Payment
from consumers.payments.processor import Charge
from schemas.message import Message
from schemas.messages.payments import (
    AuthorisePayment,
    CapturePayment,
    PaymentDeclined,
    RefundPayment,
    VoidPayment,
)
from tailrace import BulkWork, Received, Work, handles, handles_in_bulk

NOT_AUTHORISED = "not_authorised"


class PaymentCommands:
    """Handlers of the payments service for commands."""

    def __init__(self, cashier: Cashier) -> None:
        self._cashier = cashier

    @handles_in_bulk(AuthorisePayment)
    async def authorise(
        self, received: Sequence[Received[AuthorisePayment]], work: BulkWork
    ) -> None:
        commands = {each.message.order_id: each.message for each in received}
        charges = {
            order_id: Charge(
                idempotency_key=str(order_id),
                customer_id=command.customer_id,
                amount=command.amount,
                currency=command.currency,
            )
            for order_id, command in commands.items()
        }
        payments, changed = await self._cashier.authorise(charges, work)
        async with work.pipeline():
            await repository.update(work.connection, changed)
            await work.reply_many(
                (each, payments[each.message.order_id].to_authorise()) for each in received
            )

    @handles_in_bulk(CapturePayment)
    async def capture(self, received: Sequence[Received[CapturePayment]], work: BulkWork) -> None:
        orders = {each.message.order_id for each in received}
        payments, changed = await self._cashier.capture(orders, work)
        refusals = {
            order_id: PaymentDeclined(
                order_id=order_id, reason=NOT_AUTHORISED, declined_at=work.now()
            )
            for order_id in orders - payments.keys()
        }
        answers = refusals | {each.order_id: each.to_capture() for each in payments.values()}
        async with work.pipeline():
            await repository.update(work.connection, changed)
            await work.reply_many((each, answers[each.message.order_id]) for each in received)

    @handles(VoidPayment)
    async def void(self, command: VoidPayment, work: Work) -> None:
        payment, has_changed = await self._cashier.undo(command.order_id, work)
        await _answer(payment.voided(), work, payment if has_changed else None)

    @handles(RefundPayment)
    async def refund(self, command: RefundPayment, work: Work) -> None:
        payment, has_changed = await self._cashier.undo(command.order_id, work)
        await _answer(payment.refunded(), work, payment if has_changed else None)


async def _answer(answer: Message, work: Work, changed: Payment | None = None) -> None:
    async with work.pipeline():
        if changed is not None:
            await repository.update(work.connection, [changed])
        await work.reply_if_wanted(answer)
