"""Commands carried out: each appends the order's events and changes its row, inside the caller's transaction.

The caller opens the transaction and commits it: the API around one command, a consumer around a batch of messages.
The events go first, because the outbox refuses to write outside a transaction.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from cdc.context import MessageContext
from cdc.database import Connection
from cdc.event_log import Snapshots, State
from cdc.ids import new_id
from cdc.outbox import Outbox
from producers.orders import repository
from producers.orders.domain import CancelOrder, ConfirmOrder, Event, Order, OrderError, PlaceOrder


class OrderNotFoundError(OrderError):
    """No order has this id."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"there is no order {order_id}")


async def place_order(
    connection: Connection,
    outbox: Outbox,
    command: PlaceOrder,
    context: MessageContext,
    *,
    snapshots: Snapshots[Order] | None = None,
) -> Order:
    """Place an order and return it.

    Args:
        connection: Its transaction carries the order and its event.
        outbox: Where the event goes.
        command: What is ordered.
        context: What the event carries along.
        snapshots: Takes a snapshot when it is due.

    Raises:
        InvalidOrderError: the order breaks a rule of the domain.
    """
    created = Order.place(command, order_id=new_id(), at=datetime.now(UTC))
    order = Order.begin(created)
    async with outbox.pipeline(connection):
        await outbox.append(
            connection,
            [created],
            aggregate_id=str(order.order_id),
            after_version=0,
            context=context,
        )
        await repository.add(connection, order)
    await _snapshot(connection, snapshots, before=0, order=order)
    return order


async def confirm_order(
    connection: Connection,
    outbox: Outbox,
    command: ConfirmOrder,
    context: MessageContext,
    *,
    snapshots: Snapshots[Order] | None = None,
) -> Order:
    """Confirm an order and return it; nothing happens to one that is confirmed already.

    Raises:
        OrderNotFoundError: there is no such order.
        OrderStateError: it was cancelled.
    """
    order = await _locked(connection, command.order_id)
    events = order.confirm(command, at=datetime.now(UTC))
    return await _record(connection, outbox, order, events, context, snapshots)


async def cancel_order(
    connection: Connection,
    outbox: Outbox,
    command: CancelOrder,
    context: MessageContext,
    *,
    snapshots: Snapshots[Order] | None = None,
) -> Order:
    """Cancel an order and return it; nothing happens to one that is cancelled already.

    Raises:
        OrderNotFoundError: there is no such order.
        OrderStateError: it was confirmed.
    """
    order = await _locked(connection, command.order_id)
    events = order.cancel(command, at=datetime.now(UTC))
    return await _record(connection, outbox, order, events, context, snapshots)


async def find_order(connection: Connection, order_id: UUID) -> Order:
    """Return an order as it stands.

    Raises:
        OrderNotFoundError: there is no such order.
    """
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


async def _record(
    connection: Connection,
    outbox: Outbox,
    order: Order,
    events: Sequence[Event],
    context: MessageContext,
    snapshots: Snapshots[Order] | None,
) -> Order:
    if not events:
        return order
    changed = order
    for event in events:
        changed = changed.apply(event)
    async with outbox.pipeline(connection):
        await outbox.append(
            connection,
            events,
            aggregate_id=str(order.order_id),
            after_version=order.version,
            context=context,
        )
        await repository.update(connection, changed)
    await _snapshot(connection, snapshots, before=order.version, order=changed)
    return changed


async def _snapshot(
    connection: Connection, snapshots: Snapshots[Order] | None, *, before: int, order: Order
) -> None:
    if snapshots is not None:
        state = State(order.version, order)
        await snapshots.take_when_due(connection, str(order.order_id), before, state)
