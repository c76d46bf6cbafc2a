"""Following orders at the orders service, by gRPC: what breaks is gone on with where it broke."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from datetime import UTC
from typing import Annotated
from uuid import UUID

import grpc

from cdc.context import MessageContext
from cdc.logs import FieldLogger
from producers.calling.answer import unusable
from producers.grpc.client import Channel
from producers.grpc.streams import OPENED
from producers.rest.problems import ProblemError, unavailable
from producers.rest.state import of_state
from producers.storefront.orders_client import NAME
from schemas.rest.orders import ORDER_NOT_FOUND
from schemas.rest.orders.v2 import OrderState
from schemas.rpc.orders.v1 import orders_pb2 as orders
from schemas.rpc.orders.v1.orders_pb2_grpc import OrderServiceStub

LONGEST_S = 600.0
"""Longer than any stream lasts, here or there."""
OPENING_S = 2.0
"""How long it is tried to open a stream at first: a service that is started anew is back by then."""
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0

PASSING = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    }
)
"""How a stream ends that is to be opened again."""
STATUSES = {
    orders.ORDER_STATUS_PENDING: "pending",
    orders.ORDER_STATUS_CONFIRMED: "confirmed",
    orders.ORDER_STATUS_CANCELLED: "cancelled",
}

log = FieldLogger(__name__)


class OrdersWatch:
    """Follows orders.

    Args:
        channel: Leads to orders; None where they cannot be followed.
    """

    def __init__(self, channel: Channel | None) -> None:
        self._channel = channel

    async def states(
        self, order_id: UUID, seen: int, context: MessageContext
    ) -> AsyncGenerator[OrderState | None, None]:
        """Yield how an order stands and then each of its changes, until it is decided; None where that may take long.

        Args:
            order_id: The order.
            seen: Version that was seen last; 0 for none.
            context: Correlation and trace of whoever follows it.

        Raises:
            ProblemError: there is no such order, or orders cannot be followed.
        """
        if self._channel is None:
            raise unavailable(
                "this installation has no service that tells of orders; ask for the order itself"
            )
        stub = OrderServiceStub(self._channel)
        opening_until: float | None = time.monotonic() + OPENING_S
        failed = 0
        while True:
            request = orders.WatchOrderRequest(order_id=str(order_id), after_version=seen)
            call = None
            try:
                await self._channel.ready(OPENING_S)
                call = stub.WatchOrder(request, context=context)
                if OPENED[0] in tuple(await call.initial_metadata()):
                    opening_until, failed = None, 0
                    yield None
                async for answer in call:
                    seen = answer.state.version
                    yield to_resource(answer.state)
                return
            except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
                because = _passing(error)
            finally:
                if call is not None:
                    call.cancel()
            if not failed:
                log.info("opens a stream again", of=NAME, because=because.name, seen=seen)
            if opening_until is not None and time.monotonic() >= opening_until:
                if not seen:
                    raise unavailable("the orders service cannot be reached; try again")
                opening_until = None
                yield None  # a browser that was here before would not come back after a refusal
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**failed)
            await asyncio.sleep(random.uniform(0, pause_s))  # noqa: S311 - no secret
            failed += 1


def _passing(error: grpc.aio.AioRpcError | asyncio.CancelledError) -> grpc.StatusCode:
    """Return how a stream has ended that is to be opened again; any other end is raised."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise error
        # its channel was closed, as what that leads to is no instance any more
        return grpc.StatusCode.CANCELLED
    if error.code() not in PASSING:
        raise _problem(error) from error
    return error.code()


def to_resource(state: orders.OrderState) -> OrderState:
    return OrderState.model_validate(
        {
            "order_id": state.order_id,
            # one that is not known here is not the last: the stream goes on
            "status": STATUSES.get(state.status, "pending"),
            "updated_at": state.updated_at.ToDatetime(UTC),
            "version": state.version,
            "payment_id": state.payment_id or None,
            "cancel_reason": state.cancel_reason or None,
        }
    )


def _problem(error: grpc.aio.AioRpcError) -> ProblemError:
    if error.code() is grpc.StatusCode.NOT_FOUND:
        return ProblemError(404, error.details() or "", kind=ORDER_NOT_FOUND)
    return unusable(NAME, f"answered with {error.code().name}")


Watched = Annotated[OrdersWatch, of_state("orders_watch")]  # endpoint parameter that receives it
