"""What shipping does about commands, and what it answers.

A command that comes again is answered again, from how the shipment stands.
"""

from collections.abc import Sequence

from consumers.shipping import repository
from consumers.shipping.domain import Shipment
from schemas.messages.shipping import CancelShipment, CreateShipment
from tailrace import BulkWork, Received, Work, handles, handles_in_bulk, new_id


@handles_in_bulk(CreateShipment)
async def create_shipment(received: Sequence[Received[CreateShipment]], work: BulkWork) -> None:
    commands = {each.message.order_id: each.message for each in received}
    wanted = [
        Shipment.of(
            command.items,
            order_id=order_id,
            shipment_id=new_id(),
            at=work.now(),
            version=0,
        )
        for order_id, command in commands.items()
    ]
    known = {
        each.order_id: each for each in await repository.create(work.connection, wanted, work.now())
    }
    if earlier := commands.keys() - known.keys():
        found = await repository.find(work.connection, earlier)
        known |= {each.order_id: each for each in found}
    await work.reply_many((each, known[each.message.order_id].outcome()) for each in received)


@handles(CancelShipment)
async def cancel_shipment(command: CancelShipment, work: Work) -> None:
    await repository.cancel(work.connection, [command.order_id], work.now(), events=0)
    [known] = await repository.find(work.connection, [command.order_id])
    await work.reply_if_wanted(known.cancelled())
