"""Event logs of their own: the tables of orders in a throwaway schema, filled with histories of a test's making."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import psycopg
from psycopg import sql

from cdc import migrations
from cdc.context import MessageContext
from cdc.database import Connection
from cdc.event_log import EventLog
from cdc.ids import new_id
from cdc.manifest import OUTBOX_TABLES
from cdc.outbox import Outbox
from consumers.testing.schemas import LocalSchemas, local_codec
from producers.orders.domain import EVENTS, Event, Order
from producers.orders.event_log import orders_fold
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderLine
from tests.stack import RunningStack

CONTEXT = MessageContext(correlation_id=new_id())


def created(order_id: UUID, *, price: str = "12.50", quantity: int = 2) -> OrderCreated:
    """Return the event that an order begins with."""
    line = OrderLine(sku="book-1", quantity=quantity, unit_price=Decimal(price))
    return OrderCreated(
        order_id=order_id,
        customer_id="ada",
        currency="EUR",
        lines=(line,),
        total=Decimal(price) * quantity,
        placed_at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    )


def confirmed(order: OrderCreated) -> OrderConfirmed:
    """Return the event that the order is paid."""
    return OrderConfirmed(
        order_id=order.order_id,
        payment_id=new_id(),
        currency=order.currency,
        total=order.total,
        confirmed_at=datetime.now(UTC),
    )


def cancelled(order: OrderCreated, reason: str = "card_declined") -> OrderCancelled:
    """Return the event that the order is given up."""
    return OrderCancelled(
        order_id=order.order_id,
        reason=reason,
        currency=order.currency,
        total=order.total,
        cancelled_at=datetime.now(UTC),
    )


class LogSchema:
    """The tables of orders in a schema of its own, with schema ids that no registry gave.

    Args:
        stack: The running stack.
    """

    def __init__(self, stack: RunningStack) -> None:
        self.schema = f"log_{new_id().hex}"
        self.outbox = Outbox(local_codec(EVENTS))
        self.log: EventLog[Order] = EventLog(orders_fold(), LocalSchemas())
        self._stack = stack
        with psycopg.connect(stack.database_url("tailrace_owner")) as connection:
            name = sql.Identifier(self.schema)
            connection.execute(sql.SQL("create schema {}").format(name))
            connection.execute(sql.SQL("grant usage on schema {} to orders").format(name))
        migrations.upgrade(
            stack.database_url("tailrace_owner"),
            schema=self.schema,
            packages=["producers.orders.migrations", OUTBOX_TABLES],
            role="orders",
        )

    def owner(self) -> "psycopg.Connection[tuple[object, ...]]":
        """Connect as the owner of the tables."""
        options = f"-c search_path={self.schema}"
        return psycopg.connect(self._stack.database_url("tailrace_owner"), options=options)

    async def connect(self) -> Connection:
        """Connect as the service."""
        options = f"-c search_path={self.schema}"
        url = self._stack.database_url("orders")
        return await psycopg.AsyncConnection.connect(url, options=options)

    async def append(
        self, connection: Connection, order_id: UUID, events: Sequence[Event], *, after: int = 0
    ) -> None:
        """Append events to an order's log, and to nothing else."""
        await self.outbox.append(
            connection, events, aggregate_id=str(order_id), after_version=after, context=CONTEXT
        )

    def drop(self) -> None:
        """Drop all of it."""
        with psycopg.connect(self._stack.database_url("tailrace_owner")) as connection:
            connection.execute(
                sql.SQL("drop schema {} cascade").format(sql.Identifier(self.schema))
            )


@contextmanager
def open_log(stack: RunningStack) -> Iterator[LogSchema]:
    """Make the tables of orders, and drop them when the block ends."""
    made = LogSchema(stack)
    try:
        yield made
    finally:
        made.drop()
