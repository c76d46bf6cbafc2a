"""Version 1 of orders by gRPC: following how an order stands."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import grpc

from cdc.database import Pool, borrow
from cdc.deadline import Deadline, within
from producers.grpc.errors import RefusedError
from producers.grpc.interceptor import LONGEST_S
from producers.grpc.streams import OPENED
from producers.orders.domain import Order, Status
from producers.orders.handlers import OrderNotFoundError, find_order
from producers.orders.rpc.watch import Watch
from schemas.rpc.orders.v1 import orders_pb2 as orders
from schemas.rpc.orders.v1.orders_pb2_grpc import OrderServiceServicer

STATUSES = {
    Status.PENDING: orders.ORDER_STATUS_PENDING,
    Status.CONFIRMED: orders.ORDER_STATUS_CONFIRMED,
    Status.CANCELLED: orders.ORDER_STATUS_CANCELLED,
}


class OrderService(OrderServiceServicer):
    """Tells how orders stand."""

    def __init__(self, pool: Pool, watch: Watch) -> None:
        self._pool = pool
        self._watch = watch

    async def WatchOrder(
        self, request: orders.WatchOrderRequest, context: Any
    ) -> AsyncIterator[orders.WatchOrderResponse]:
        order_id, version = _asked(request)
        order = await self._find(order_id)
        if version > order.version:
            version = 0
        if version == order.version and order.status is not Status.PENDING:
            return
        await context.send_initial_metadata(OPENED)
        while True:
            if order.version > version:
                yield orders.WatchOrderResponse(state=to_message(order))
                version = order.version
            if order.status is not Status.PENDING:
                return
            order = await self._watch.after(order_id, version)

    async def _find(self, order_id: UUID) -> Order:
        try:
            with within(Deadline.after(LONGEST_S)):
                async with borrow(self._pool) as connection:
                    return await find_order(connection, order_id)
        except OrderNotFoundError as error:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, str(error)) from None


def to_message(order: Order) -> orders.OrderState:
    return orders.OrderState(
        order_id=str(order.order_id),
        version=order.version,
        status=STATUSES[order.status],
        updated_at=order.updated_at,
        payment_id=str(order.payment_id) if order.payment_id else None,
        cancel_reason=order.cancel_reason,
    )


def _asked(request: orders.WatchOrderRequest) -> tuple[UUID, int]:
    if request.after_version < 0:
        raise RefusedError(
            grpc.StatusCode.INVALID_ARGUMENT, "after_version is less than 0; 0 means none"
        )
    try:
        return UUID(request.order_id), request.after_version
    except ValueError:
        raise RefusedError(
            grpc.StatusCode.INVALID_ARGUMENT, "order_id is not the id of an order, which is a UUID"
        ) from None
