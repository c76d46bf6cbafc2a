"""Where the endpoints of the orders service write, and how they come by it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request

from cdc.context import MessageContext
from cdc.database import Pool
from cdc.outbox import Outbox
from cdc.work import RequestWork, UnitOfWork
from producers.orders import handlers
from producers.orders.domain import Order, PlaceOrder


@dataclass(frozen=True, slots=True)
class Storage:
    """The database and the outbox in it."""

    pool: Pool
    outbox: Outbox

    @asynccontextmanager
    async def work(self, context: MessageContext) -> AsyncIterator[UnitOfWork]:
        """Open a unit of work for a request; it is committed when the block ends."""
        async with self.pool.connection() as connection, connection.transaction():
            yield RequestWork(connection, self.outbox, context)

    async def place(self, command: PlaceOrder, context: MessageContext) -> Order:
        """Place an order in a unit of work of its own.

        Raises:
            InvalidOrderError: the order breaks a rule of the domain.
        """
        async with self.work(context) as work:
            return await handlers.place_order(command, work)

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
