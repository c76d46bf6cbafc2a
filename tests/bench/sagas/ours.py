"""The candidates: orders as the orders service places them, fulfilled by the workers in one form or the other."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count as counted
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg

from cdc.context import MessageContext
from cdc.database import connect_async
from cdc.ids import new_id
from cdc.outbox import Outbox
from cdc.sql import load_queries
from cdc.work import RequestWork
from infra.services import OWNER
from producers.orders.domain import EVENTS, PlaceOrder
from producers.orders.handlers import place_order
from schemas.messages.orders import Fulfilment, OrderLine
from tests.bench.errors import BenchError
from tests.bench.sagas.contender import CHOREOGRAPHY
from tests.stack import RunningStack

QUERIES = load_queries("tests.bench.sagas")
WORKERS = ("payments", "inventory", "shipping", "orders", "fulfilment")
"""Database roles of the workers that take part; each worker is called like its role."""
ARTICLES = 100
ALONE_S = 30.0
LOOK_S = 0.001


class Ours:
    """One form of fulfilment.

    Args:
        name: The form.
        stack: A running stack.
    """

    roles = WORKERS

    def __init__(self, name: str, stack: RunningStack) -> None:
        self.name = name
        settings = stack.settings
        self._outbox = Outbox.open(settings.registry_url, settings.schema_cache, EVENTS)
        self._url = stack.database_url("orders")
        self._numbers = counted()
        self._first: UUID | None = None
        self._runner = asyncio.Runner()
        self._writer = self._runner.run(connect_async(self._url))
        self._looker = psycopg.connect(stack.database_url(OWNER), autocommit=True)

    def close(self) -> None:
        """End its sessions."""
        self._runner.run(self._writer.close())
        self._runner.close()
        self._looker.close()

    def place(self, count: int) -> None:
        """Place orders in one transaction."""
        self._first = self._runner.run(self._placed(count))

    def finished(self) -> int:
        """Return how many orders are confirmed; if they are orchestrated, how many sagas have ended."""
        query = "confirmed" if self.name == CHOREOGRAPHY else "completed"
        return int(self._asked(query, {"first": self._first}))

    def one(self) -> float:
        """Return after how many seconds an order was confirmed."""
        begin = time.perf_counter()
        self.place(1)
        while not self._asked("confirmed", {"first": self._first}):
            if time.perf_counter() > begin + ALONE_S:
                raise BenchError(f"An order was not confirmed within {ALONE_S:g} s.")
            time.sleep(LOOK_S)
        return time.perf_counter() - begin

    async def _placed(self, count: int) -> UUID:
        connection, found = self._writer, []
        async with connection.transaction():
            for number in islice(self._numbers, count):
                context = MessageContext(correlation_id=new_id())
                work = RequestWork(connection, self._outbox, context)
                found.append((await place_order(self._command(number), work)).order_id)
        return found[0]

    def _command(self, number: int) -> PlaceOrder:
        article = f"article-{number % ARTICLES}"
        line = OrderLine(sku=article, quantity=2, unit_price=Decimal("4.50"))
        form = Fulfilment(self.name)
        return PlaceOrder(customer_id="ada", currency="EUR", lines=(line,), fulfilment=form)

    def _asked(self, query: str, values: dict[str, Any]) -> int:
        [[found]] = self._looker.execute(QUERIES[query], values).fetchall()
        return int(found)


@contextmanager
def ours(name: str, stack: RunningStack) -> Iterator[Ours]:
    """Open a form of fulfilment."""
    contender = Ours(name, stack)
    try:
        yield contender
    finally:
        contender.close()
