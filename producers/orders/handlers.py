"""Commands carried out: each appends the order's events and changes its row, in one unit of work.

Whoever opens the unit of work commits it: the API around one command, a consumer around a batch of messages. The events
go first, because the outbox refuses to write outside a transaction.
"""

from collections.abc import Sequence
from uuid import UUID

from cdc.database import Connection
from cdc.ids import new_id
from cdc.work import UnitOfWork
from producers.orders import repository
from producers.orders.domain import CancelOrder, ConfirmOrder, Event, Order, OrderError, PlaceOrder


class OrderNotFoundError(OrderError):
    """No order has this id."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"there is no order {order_id}")


async def place_order(command: PlaceOrder, work: UnitOfWork) -> Order:
    created = Order.place(command, order_id=new_id(), at=work.now())
    order = Order.begin(created)
    async with work.pipeline():
        await work.append([created], aggregate_id=str(order.order_id), after_version=0)
        await repository.add(work.connection, order)
    return order


async def confirm_order(command: ConfirmOrder, work: UnitOfWork) -> Order:
    """Confirm an order and return it; nothing happens to one that is confirmed already."""
    order = await _locked(work.connection, command.order_id)
    return await _record(order, order.confirm(command, at=work.now()), work)


async def cancel_order(command: CancelOrder, work: UnitOfWork) -> Order:
    """Cancel an order and return it; nothing happens to one that is cancelled already."""
    order = await _locked(work.connection, command.order_id)
    return await _record(order, order.cancel(command, at=work.now()), work)


async def find_order(connection: Connection, order_id: UUID) -> Order:
    order = await repository.get(connection, order_id)
    if order is None:
        raise OrderNotFoundError(order_id)
    return order


async def _locked(connection: Connection, order_id: UUID) -> Order:
    """Load the order and hold it, so that two commands at once are decided one after the other."""
    order = await repository.lock(connection, order_id)
    if order is None:
        raise OrderNotFoundError(order_id)
    return order


async def _record(order: Order, events: Sequence[Event], work: UnitOfWork) -> Order:
    if not events:
        return order
    changed = order
    for event in events:
        changed = changed.apply(event)
    async with work.pipeline():
        await work.append(events, aggregate_id=str(order.order_id), after_version=order.version)
        await repository.update(work.connection, changed)
    return changed
