"""What shipping does about the events of inventory and orders, inside the transaction it is given."""

from collections.abc import Sequence

from consumers.shipping import repository
from consumers.shipping.domain import Shipment
from schemas.messages.inventory import ItemsReserved
from schemas.messages.orders import OrderCancelled
from tailrace import BulkWork, Received, handles_in_bulk, new_id


@handles_in_bulk(ItemsReserved)
async def create_shipments(received: Sequence[Received[ItemsReserved]], work: BulkWork) -> None:
    """Make a shipment of what is set aside, or say that it cannot be sent."""
    causes = {each.message.order_id: each for each in received}
    shipments = [
        Shipment.of(
            each.message.items,
            order_id=order_id,
            shipment_id=new_id(),
            at=work.now(),
            version=1,
        )
        for order_id, each in causes.items()
    ]
    created = await repository.create(work.connection, shipments, work.now())
    async with work.pipeline():
        for each in created:
            await work.caused_by(causes[each.order_id]).append(
                [each.outcome()], aggregate_id=str(each.shipment_id), after_version=0
            )


@handles_in_bulk(OrderCancelled)
async def cancel_shipments(received: Sequence[Received[OrderCancelled]], work: BulkWork) -> None:
    """Cancel the shipments of orders of either form."""
    causes = {each.message.order_id: each for each in received}
    cancelled = await repository.cancel(work.connection, causes, work.now(), events=1)
    async with work.pipeline():
        for each in cancelled:
            await work.caused_by(causes[each.order_id]).append(
                [each.cancelled()],
                aggregate_id=str(each.shipment_id),
                after_version=each.version - 1,
            )
