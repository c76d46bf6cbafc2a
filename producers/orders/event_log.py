"""Orders as their events tell of them: how a state follows from the log, and the rows that must say the same."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from uuid import UUID

from cdc.database import Connection
from cdc.event_log import Fold
from cdc.event_log.verification import Rows
from producers.orders import repository
from producers.orders.domain import EVENTS, Order
from schemas.catalogue import catalogue
from schemas.messages.orders import OrderCreated


def orders_fold() -> Fold[Order]:
    return Fold(
        kind=catalogue().topic_of(OrderCreated.NAME).aggregate,
        messages=EVENTS,
        state=Order,
        begin=lambda event: Order.rehydrate([event]),
        apply=Order.apply,
    )


def declare() -> tuple[Fold[Order], Rows[Order]]:
    """Return what orders declare of their log, and the rows that must say the same."""
    return orders_fold(), OrderRows()


class OrderRows:
    """The rows of `customer_order`."""

    async def read(
        self, connection: Connection, aggregate_ids: Sequence[str]
    ) -> Mapping[str, Order]:
        ids = [order_id for text in aggregate_ids if (order_id := _uuid(text)) is not None]
        orders = await repository.get_many(connection, ids)
        return {str(order.order_id): order for order in orders}

    def ids(self, connection: Connection) -> AsyncGenerator[str, None]:
        return repository.ids(connection)


def _uuid(text: str) -> UUID | None:
    """Return an id as the rows have it; one that is written otherwise is of no row."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
