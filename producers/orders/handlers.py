"""Commands carried out: each appends the order's events and changes its row, in one unit of work.

Whoever opens the unit of work commits it: the API around one command, a consumer around a batch of messages. The events
go first, because the outbox refuses to write outside a transaction.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from cdc.database import Connection
from cdc.ids import new_id
from cdc.work import TransactionScope, UnitOfWork
from producers.orders import repository
from producers.orders.domain import (
    CancelOrder,
    ConfirmOrder,
    Event,
    Order,
    OrderError,
    PlaceOrder,
    Progress,
    Status,
)


class OrderNotFoundError(OrderError):
    """No order has this id."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"there is no order {order_id}")


class OrderChangedError(Exception):
    """The order has changed since it was looked at."""


async def place_order(command: PlaceOrder, work: UnitOfWork) -> Order:
    created = Order.place(command, order_id=new_id(), at=work.now())
    order = Order.begin(created)
    async with work.pipeline():
        await work.append([created], aggregate_id=str(order.order_id), after_version=0)
        await repository.add(work.connection, order)
    return order


async def advance_orders(
    news: Mapping[UUID, tuple[Progress, UnitOfWork]], scope: TransactionScope
) -> None:
    """Note what is heard of orders' fulfilment, and confirm those of which nothing is missing any more.

    The orders' rows are locked from here on, so that what comes at the same time is decided one after the other.

    Args:
        news: By order: what was heard, with the unit of work of what it was heard by.
        scope: The transaction of all of them.
    """
    heard = {order_id: progress for order_id, (progress, _) in news.items()}
    noted = await repository.note(scope.connection, heard)
    if missing := news.keys() - {order.order_id for order, _ in noted}:
        raise OrderNotFoundError(min(missing))
    async with scope.pipeline():
        for order, progress in noted:
            _, work = news[order.order_id]
            if events := order.advance(progress, at=work.now()):
                await _write(order, events, work)


async def cancel_order(
    command: CancelOrder, work: UnitOfWork, *, at_versions: Container[int] | None = None
) -> Order:
    """Cancel an order and return it; nothing happens to one that is cancelled already.

    Args:
        at_versions: Versions of the order at which it is to be cancelled; any if nothing is said.

    Raises:
        OrderChangedError: it is at another one.
    """
    order = await _locked(work.connection, command.order_id)
    if at_versions is not None and order.version not in at_versions:
        raise OrderChangedError
    return await _record(order, order.cancel(command, at=work.now()), work)


async def decide_orders(
    commands: Sequence[tuple[ConfirmOrder | CancelOrder, UnitOfWork]], scope: TransactionScope
) -> list[Order]:
    """Confirm or cancel orders that are pending, and return the order of each command as it stands then.

    Args:
        commands: Each with the unit of work of its cause; an order that is decided stays as it is.
        scope: The transaction of all of them.
    """
    wanted = [command.order_id for command, _ in commands]
    orders = {each.order_id: each for each in await repository.lock(scope.connection, wanted)}
    if missing := [order_id for order_id in wanted if order_id not in orders]:
        raise OrderNotFoundError(missing[0])
    async with scope.pipeline():
        for command, work in commands:
            order = orders[command.order_id]
            if order.status is Status.PENDING:
                events = _decision(order, command, at=work.now())
                orders[order.order_id] = await _write(order, events, work)
    return [orders[order_id] for order_id in wanted]


async def find_order(connection: Connection, order_id: UUID) -> Order:
    order = await repository.get(connection, order_id)
    if order is None:
        raise OrderNotFoundError(order_id)
    return order


async def _locked(connection: Connection, order_id: UUID) -> Order:
    """Load the order and hold it, so that two commands at once are decided one after the other."""
    found = await repository.lock(connection, [order_id])
    if not found:
        raise OrderNotFoundError(order_id)
    return found[0]


def _decision(
    order: Order, command: ConfirmOrder | CancelOrder, *, at: datetime
) -> Sequence[Event]:
    match command:
        case ConfirmOrder():
            return order.confirm(command, at=at)
        case CancelOrder():
            return order.cancel(command, at=at)


async def _record(order: Order, events: Sequence[Event], work: UnitOfWork) -> Order:
    if not events:
        return order
    async with work.pipeline():
        return await _write(order, events, work)


async def _write(order: Order, events: Sequence[Event], work: UnitOfWork) -> Order:
    changed = order
    for event in events:
        changed = changed.apply(event)
    await work.append(events, aggregate_id=str(order.order_id), after_version=order.version)
    await repository.update(work.connection, changed)
    return changed
