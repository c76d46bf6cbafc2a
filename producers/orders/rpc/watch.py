"""Waiting for changes of orders: one look at the database for all who wait, however many they are.

It asks for versions, and not for what has happened since some time: whoever looks late, or in vain, misses nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from cdc.chores import Chore, Chores
from cdc.database import Pool, borrow
from cdc.deadline import Deadline, within
from producers.orders import repository
from producers.orders.domain import Order

LOOK_EVERY_S = 0.04
LONGEST_LOOK_S = 5.0


class Watch:
    """Tells whoever waits for it how an order stands that has changed.

    Args:
        pool: Of the database that orders are in.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        # those who wait for an order, each with the version that it has seen
        self._waiting: defaultdict[UUID, dict[asyncio.Future[Order], int]] = defaultdict(dict)
        self._is_awaited = asyncio.Event()

    async def after(self, order_id: UUID, version: int) -> Order:
        """Return an order as it stands, once it has come past a version."""
        changed: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self._waiting[order_id][changed] = version
        self._is_awaited.set()
        try:
            return await changed
        finally:
            del self._waiting[order_id][changed]
            if not self._waiting[order_id]:
                del self._waiting[order_id]

    async def look(self) -> None:
        """Look once, as soon as anybody waits."""
        if not self._waiting:
            self._is_awaited.clear()
        await self._is_awaited.wait()
        seen = {order_id: min(waiting.values()) for order_id, waiting in self._waiting.items()}
        with within(Deadline.after(LONGEST_LOOK_S)):
            async with borrow(self._pool) as connection:
                changed = await repository.changed(connection, seen)
        for order in changed:
            for future, version in self._waiting.get(order.order_id, {}).items():
                if order.version > version and not future.done():
                    future.set_result(order)


@asynccontextmanager
async def open_watch(pool: Pool) -> AsyncIterator[Watch]:
    """Look for changes until the block ends."""
    watch, chores = Watch(pool), Chores()
    chores.start([Chore("looking for changes of orders", LOOK_EVERY_S, watch.look)])
    try:
        yield watch
    finally:
        await chores.stop()
