"""What an outbox costs the transaction that writes to it, taken from placing orders."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import psycopg

from cdc.context import MessageContext
from cdc.database import Connection
from cdc.ids import new_id
from cdc.outbox import Outbox
from cdc.work import RequestWork
from producers.orders.domain import EVENTS, PlaceOrder
from producers.orders.handlers import place_order
from schemas.codec import Codec
from schemas.message import Message
from schemas.messages.orders import OrderLine
from schemas.registry import SchemaStore
from tests.bench.figures import percentile
from tests.bench.publish.rows import QUERIES
from tests.stack import RunningStack

NONE, OURS, EMIT = "none", "outbox", "emit_message"
ROLE = "orders"
WARM_UP = 100
ORDER = PlaceOrder(
    customer_id="ada",
    currency="EUR",
    lines=(OrderLine(sku="tea", quantity=2, unit_price=Decimal("4.50")),),
)


class NoOutbox:
    """Tells nobody, and has the row sent as one is commonly sent, by itself."""

    def pipeline(self, _: Connection) -> AbstractAsyncContextManager[None]:
        """Do nothing."""
        return nullcontext()

    async def append(
        self, connection: Connection, events: Sequence[Message], **_: Any
    ) -> list[UUID]:
        """Do nothing."""
        return []


class EmittedMessages:
    """Tells by messages in the WAL, which leave no row to replay or to reconcile with.

    Args:
        codec: Encodes the events.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def pipeline(self, connection: Connection) -> AbstractAsyncContextManager[Any]:
        """Send the row and the messages together, as the outbox does."""
        return connection.pipeline()

    async def append(
        self, connection: Connection, events: Sequence[Message], **_: Any
    ) -> list[UUID]:
        """Write the events, each a message."""
        for event in events:
            await connection.execute(QUERIES["emit"], {"payload": self._codec.encode(event)})
        return []


def cost(stack: RunningStack, transactions: int) -> Mapping[str, Mapping[str, float]]:
    """Measure placing an order: its row alone, with its event in the outbox, with its event as a message in the WAL.

    The three take turns order by order, on one connection.

    Args:
        stack: A running stack.
        transactions: How many of each.

    Returns:
        Name -> its figures.
    """
    settings = stack.settings
    codec = Codec(SchemaStore(settings.registry_url, settings.schema_cache), EVENTS)
    codec.resolve()
    outboxes = {NONE: NoOutbox(), OURS: Outbox(codec), EMIT: EmittedMessages(codec)}
    milliseconds = asyncio.run(
        _take_turns(stack.database_url(ROLE), cast(Mapping[str, Outbox], outboxes), transactions)
    )
    return {
        name: {"p50_ms": percentile(found, 50), "p99_ms": percentile(found, 99)}
        for name, found in milliseconds.items()
    }


async def _take_turns(
    database_url: str, outboxes: Mapping[str, Outbox], transactions: int
) -> Mapping[str, list[float]]:
    took: dict[str, list[float]] = {name: [] for name in outboxes}
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        for number in range(WARM_UP + transactions):
            for name, outbox in outboxes.items():
                context = MessageContext(correlation_id=new_id())
                begin = time.perf_counter()
                async with connection.transaction():
                    await place_order(ORDER, RequestWork(connection, outbox, context))
                if number >= WARM_UP:
                    took[name].append((time.perf_counter() - begin) * 1000)
    return took
