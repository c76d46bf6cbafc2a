"""What is done about the money of orders, whoever wants it: each step once, and none after it was undone."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple
from uuid import UUID

from consumers.payments import repository
from consumers.payments.domain import Payment, Status
from consumers.payments.processor import CardProcessor, Charge
from schemas.messages.payments import DeclineReason
from tailrace import BulkWork, Connection, Work, new_id

Ask = Callable[[Charge], Awaitable[DeclineReason | None]]
Undo = Callable[[str], Awaitable[None]]


class Moved(NamedTuple):
    """In what the wishes of some orders have resulted.

    Args:
        payments: Payments by order as they stand; none of an order that has none.
        changed: Those of them that are not written yet: that goes with what is told of them.
    """

    payments: Mapping[UUID, Payment]
    changed: list[Payment]


class Cashier:
    """Moves the money of orders, and tells in which payment it has resulted.

    The processor may be asked twice when the transaction fails after its answer, which is why it gets the order as its
    idempotency key. It is asked for all orders of a batch at once, so that the transaction lasts as long as one answer.
    """

    def __init__(self, processor: CardProcessor) -> None:
        self._processor = processor

    async def charge(self, charges: Mapping[UUID, Charge], work: BulkWork) -> Moved:
        """Take the money for orders."""
        processor = self._processor
        return await self._ask(charges, work, processor.charge, Status.COMPLETED, processor.refund)

    async def authorise(self, charges: Mapping[UUID, Charge], work: BulkWork) -> Moved:
        """Hold the money for orders."""
        processor = self._processor
        return await self._ask(
            charges, work, processor.authorise, Status.AUTHORISED, processor.void
        )

    async def capture(self, orders: Collection[UUID], work: BulkWork) -> Moved:
        """Take the money that is held."""
        known = await repository.lock(work.connection, orders)
        held = [each for each in known if each.status is Status.AUTHORISED]
        await asyncio.gather(*(self._processor.capture(str(each.order_id)) for each in held))
        changed = [each.moved(Status.COMPLETED, at=work.now()) for each in held]
        return Moved({each.order_id: each for each in (*known, *changed)}, changed)

    async def undo(self, order_id: UUID, work: Work) -> tuple[Payment, bool]:
        """Hold or keep no money for an order, now or later; return the payment, and whether it is to be written."""
        payment = await self._known_or_withdrawn(order_id, work)
        match payment.status:
            case Status.AUTHORISED:
                await self._processor.void(str(order_id))
                return payment.moved(Status.VOIDED, at=work.now()), True
            case Status.COMPLETED:
                await self._processor.refund(str(order_id))
                return payment.moved(Status.REFUNDED, at=work.now()), True
        return payment, False

    async def _ask(
        self,
        charges: Mapping[UUID, Charge],
        work: BulkWork,
        ask: Ask,
        taken: Status,
        undo: Undo,
    ) -> Moved:
        new = [
            Payment(
                payment_id=new_id(),
                order_id=order_id,
                currency=charge.currency,
                amount=charge.amount,
                settled_at=work.now(),
            )
            for order_id, charge in charges.items()
        ]
        claimed = await repository.claim(work.connection, new)
        asked = [each for each in new if each.order_id in claimed]
        answers = await asyncio.gather(*(ask(charges[each.order_id]) for each in asked))
        changed = [
            each.answered(declined, taken=taken, at=work.now())
            for each, declined in zip(asked, answers, strict=True)
        ]
        known = await _locked(work.connection, charges.keys() - claimed)
        for each in known:
            if each.status is Status.WITHDRAWN:
                # an attempt whose transaction failed after the processor's answer has left nothing here but this
                await undo(charges[each.order_id].idempotency_key)
        return Moved({each.order_id: each for each in (*known, *changed)}, changed)

    async def _known_or_withdrawn(self, order_id: UUID, work: Work) -> Payment:
        if known := await repository.lock(work.connection, [order_id]):
            return known[0]
        payment = Payment(
            payment_id=new_id(), order_id=order_id, status=Status.WITHDRAWN, settled_at=work.now()
        )
        if await repository.claim(work.connection, [payment]):
            return payment
        [found] = await _locked(work.connection, [order_id])
        return found


async def _locked(connection: Connection, orders: Collection[UUID]) -> list[Payment]:
    if not orders:
        return []
    found = await repository.lock(connection, orders)
    if len(found) < len(orders):
        raise LookupError(f"payments of {len(orders)} orders were there, and {len(found)} are")
    return found
