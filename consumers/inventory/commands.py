"""What inventory does about commands, and what it answers.

A command that comes again is answered again, from how the reservation stands.
"""

from collections.abc import Sequence

from consumers.inventory import repository
from consumers.inventory.domain import summed
from consumers.inventory.storekeeper import Storekeeper
from schemas.messages.inventory import ReleaseItems, ReserveItems, TopUpStock
from tailrace import BulkWork, PoisonError, Received, Work, handles, handles_in_bulk


class InventoryCommands:
    """Handlers of the inventory service for commands."""

    def __init__(self, storekeeper: Storekeeper) -> None:
        self._storekeeper = storekeeper

    @handles_in_bulk(ReserveItems)
    async def reserve(self, received: Sequence[Received[ReserveItems]], work: BulkWork) -> None:
        orders = {
            each.message.order_id: summed((item.sku, item.quantity) for item in each.message.items)
            for each in received
        }
        for order_id, items in orders.items():
            if not items or min(items.values()) < 1:
                raise PoisonError(f"nothing can be reserved for order {order_id} of {items}")
        known = await self._storekeeper.reserve_at_once(work.connection, orders, work.now())
        await work.reply_many((each, known[each.message.order_id].outcome()) for each in received)

    @handles(ReleaseItems)
    async def release(self, command: ReleaseItems, work: Work) -> None:
        await self._storekeeper.release(work.connection, [command.order_id], work.now(), events=0)
        [known] = await repository.find(work.connection, [command.order_id])
        await work.reply_if_wanted(known.released())

    @handles(TopUpStock)
    async def top_up(self, command: TopUpStock, work: Work) -> None:
        if command.units < 1:
            raise PoisonError(f"{command.units} units of {command.sku} cannot be taken into stock")
        await repository.top_up(work.connection, command.sku, command.units)
