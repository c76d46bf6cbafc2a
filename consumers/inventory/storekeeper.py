"""What is done about the stock for orders, whoever wants it: each step once, and none after it was undone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from consumers.inventory import repository
from consumers.inventory.domain import Items, Reservation, Status
from tailrace import Connection


class Storekeeper:
    """Sets aside, puts back and sends off.

    Args:
        default_stock: Units that there are of an article which was never stocked.
    """

    def __init__(self, default_stock: int) -> None:
        self._default_stock = default_stock

    async def reserve(
        self, connection: Connection, due: Sequence[Reservation], at: datetime, *, events: int
    ) -> list[Reservation]:
        """Decide on reservations one after the other; return them as they stand then.

        Args:
            events: How many events will tell of each.
        """
        if not due:
            return []
        skus = [sku for each in due for sku in each.items or ()]
        on_hand = await repository.lock_stock(connection, skus, self._default_stock)
        settled = [
            replace(each.decided(on_hand, at), version=each.version + events) for each in due
        ]
        async with connection.pipeline():
            await repository.settle(connection, settled, at)
            reserved = [each for each in settled if each.status is Status.RESERVED]
            await repository.move(connection, reserved, from_="on_hand", to="reserved")
        return settled

    async def reserve_at_once(
        self, connection: Connection, orders: Mapping[UUID, Items], at: datetime
    ) -> dict[UUID, Reservation]:
        """Reserve what is wanted by commands, the first one first.

        Returns:
            Reservations by order as they stand, those included that stood before.
        """
        asked = {each.order_id: each for each in await repository.ask(connection, orders, at)}
        due = [asked[order_id] for order_id in orders if order_id in asked]
        settled = await self.reserve(connection, due, at, events=0)
        earlier = orders.keys() - asked.keys()
        found = await repository.find(connection, earlier) if earlier else []
        return {each.order_id: each for each in (*settled, *found)}

    async def release(
        self, connection: Connection, orders: Collection[UUID], at: datetime, *, events: int
    ) -> list[Reservation]:
        """Put back what is set aside for orders, and set nothing aside for them later; return what was put back."""
        changed = await repository.release(connection, orders, at, events=events)
        released = [each for each in changed if each.status is Status.RELEASED]
        await repository.move(connection, released, from_="reserved", to="on_hand")
        return released

    async def ship(self, connection: Connection, orders: Collection[UUID], at: datetime) -> None:
        """Note that what is set aside for orders has left."""
        shipped = await repository.ship(connection, orders, at)
        await repository.move(connection, shipped, from_="reserved", to="shipped")
