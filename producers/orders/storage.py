"""Where the endpoints of the orders service write, and how they come by it."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from cdc.context import MessageContext
from cdc.database import Pool
from cdc.event_log import Snapshots
from cdc.outbox import Outbox
from producers.orders import handlers
from producers.orders.domain import Order, PlaceOrder


@dataclass(frozen=True, slots=True)
class Storage:
    """The database, the outbox in it, and what keeps snapshots of long histories."""

    pool: Pool
    outbox: Outbox
    snapshots: Snapshots[Order] | None = None

    async def place(self, command: PlaceOrder, context: MessageContext) -> Order:
        """Place an order in a transaction of its own.

        Raises:
            InvalidOrderError: the order breaks a rule of the domain.
        """
        async with self.pool.connection() as connection, connection.transaction():
            return await handlers.place_order(
                connection, self.outbox, command, context, snapshots=self.snapshots
            )

    async def find(self, order_id: UUID) -> Order:
        """Return an order as it stands.

        Raises:
            OrderNotFoundError: there is no such order.
        """
        async with self.pool.connection() as connection:
            return await handlers.find_order(connection, order_id)


async def _storage(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage


Orders = Annotated[Storage, Depends(_storage)]
"""Endpoint parameter that receives the storage."""
