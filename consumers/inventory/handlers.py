"""What inventory does about the events of orders and payments, inside the transaction it is given."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from consumers.inventory import repository
from consumers.inventory.domain import Reservation, summed
from consumers.inventory.storekeeper import Storekeeper
from schemas.messages.as_read_by_inventory_worker import Fulfilment, OrderCreated
from schemas.messages.orders import OrderCancelled, OrderConfirmed
from schemas.messages.payments import PaymentCompleted
from tailrace import BulkWork, Received, handles_in_bulk


class InventoryHandlers:
    """Handlers of the inventory service for orders that are fulfilled by choreography.

    What was ordered and that it is paid come by two topics, so that either may come first.
    """

    def __init__(self, storekeeper: Storekeeper) -> None:
        self._storekeeper = storekeeper

    @handles_in_bulk(OrderCreated)
    async def remember_lines(
        self, received: Sequence[Received[OrderCreated]], work: BulkWork
    ) -> None:
        causes = {
            each.message.order_id: each
            for each in received
            if each.message.fulfilment is Fulfilment.CHOREOGRAPHY
        }
        if not causes:
            return
        orders = {
            order_id: summed(
                (line.sku, line.quantity) for line in each.message.lines if not line.digital
            )
            for order_id, each in causes.items()
        }
        noted = await repository.note_ordered(work.connection, orders, work.now())
        await self._reserve(noted, causes, work)

    @handles_in_bulk(PaymentCompleted)
    async def reserve(self, received: Sequence[Received[PaymentCompleted]], work: BulkWork) -> None:
        """Set aside what was ordered, all of it or nothing."""
        causes = {each.message.order_id: each for each in received}
        noted = await repository.note_paid(work.connection, causes, work.now())
        await self._reserve(noted, causes, work)

    @handles_in_bulk(OrderCancelled)
    async def put_back(self, received: Sequence[Received[OrderCancelled]], work: BulkWork) -> None:
        """Put back what is set aside for orders of either form."""
        causes = {each.message.order_id: each for each in received}
        released = await self._storekeeper.release(work.connection, causes, work.now(), events=1)
        async with work.pipeline():
            for each in released:
                await work.caused_by(causes[each.order_id]).append(
                    [each.released()],
                    aggregate_id=str(each.reservation_id),
                    after_version=each.version - 1,
                )

    @handles_in_bulk(OrderConfirmed)
    async def send_off(self, received: Sequence[Received[OrderConfirmed]], work: BulkWork) -> None:
        """Count what is set aside for orders of either form as sent: an order is confirmed when it is shipped."""
        orders = [each.message.order_id for each in received]
        await self._storekeeper.ship(work.connection, orders, work.now())

    async def _reserve(
        self, noted: Sequence[Reservation], causes: Mapping[UUID, Received[Any]], work: BulkWork
    ) -> None:
        # those that came first are served first
        place = {order_id: number for number, order_id in enumerate(causes)}
        due = sorted((each for each in noted if each.is_due), key=lambda each: place[each.order_id])
        settled = await self._storekeeper.reserve(work.connection, due, work.now(), events=1)
        async with work.pipeline():
            for each in settled:
                await work.caused_by(causes[each.order_id]).append(
                    [each.outcome()],
                    aggregate_id=str(each.reservation_id),
                    after_version=each.version - 1,
                )
