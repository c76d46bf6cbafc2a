"""gRPC services of tests: real servers in this process, and what they were asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from producers.grpc.context import current_context
from producers.grpc.errors import RefusedError
from producers.grpc.interceptor import Calls
from producers.grpc.server import Offered, Running, listening
from producers.grpc.streams import OPENED
from schemas.rpc.loyalty.v1 import loyalty_pb2 as loyalty
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import (
    LoyaltyServiceServicer,
    add_LoyaltyServiceServicer_to_server,
)
from schemas.rpc.orders.v1 import orders_pb2 as orders
from schemas.rpc.orders.v1.orders_pb2_grpc import (
    OrderServiceServicer,
    add_OrderServiceServicer_to_server,
)
from schemas.rpc.users.v1 import users_pb2 as users
from schemas.rpc.users.v1.users_pb2_grpc import (
    UserServiceServicer,
    add_UserServiceServicer_to_server,
)

USERS = "tailrace.users.v1.UserService"
ORDERS = "tailrace.orders.v1.OrderService"
LOYALTY = "tailrace.loyalty.v1.LoyaltyService"

Answer = Callable[[loyalty.GetTierRequest], Awaitable[loyalty.GetTierResponse]]


async def gold(_: loyalty.GetTierRequest) -> loyalty.GetTierResponse:
    return loyalty.GetTierResponse(tier=loyalty.TIER_GOLD)


async def never(_: loyalty.GetTierRequest) -> loyalty.GetTierResponse:
    await asyncio.Event().wait()
    raise AssertionError


@dataclass
class Loyalty(LoyaltyServiceServicer):
    """Answers as it is told to, and notes what it was asked."""

    answer: Answer = gold
    remaining_s: list[float | None] = field(default_factory=list)
    correlation_ids: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def GetTier(  # noqa: N802  # as the proto has it
        self, request: loyalty.GetTierRequest, context: Any
    ) -> loyalty.GetTierResponse:
        self.remaining_s.append(context.time_remaining())
        self.correlation_ids.append(str(current_context().correlation_id))
        self.asked.set()
        try:
            return await self.answer(request)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


@asynccontextmanager
async def serving_loyalty(
    servicer: Loyalty, calls: Calls | None = None, *, port: int = 0
) -> AsyncIterator[Running]:
    offered = Offered(LOYALTY, servicer, add_LoyaltyServiceServicer_to_server)
    async with listening([offered], host="127.0.0.1", port=port, calls=calls) as running:
        yield running


def url_of(running: Running) -> str:
    return f"http://127.0.0.1:{running.port}"


def never_a_user(_: str) -> users.User:
    raise RefusedError(grpc.StatusCode.NOT_FOUND, "no user has this id")


@dataclass
class Users(UserServiceServicer):
    """Tells of users as it is told to, by their ids."""

    find: Callable[[str], users.User]
    correlation_ids: list[str] = field(default_factory=list)

    async def GetUser(  # noqa: N802
        self, request: users.GetUserRequest, context: Any
    ) -> users.GetUserResponse:
        self.correlation_ids.append(str(current_context().correlation_id))
        return users.GetUserResponse(user=self.find(request.user_id))


@asynccontextmanager
async def serving_users(servicer: Users) -> AsyncIterator[Running]:
    offered = Offered(USERS, servicer, add_UserServiceServicer_to_server)
    async with listening([offered], host="127.0.0.1", port=0) as running:
        yield running


def state(
    version: int, status: orders.OrderStatus = orders.ORDER_STATUS_PENDING, **more: Any
) -> orders.OrderState:
    return orders.OrderState(
        order_id=more.pop("order_id", ""), version=version, status=status, **more
    )


@dataclass
class Watched(OrderServiceServicer):
    """Orders that are followed as it is told, and who follows them."""

    tell: Callable[[orders.WatchOrderRequest], AsyncIterator[orders.OrderState]]
    over_at: int = -1  # the version after which nothing comes
    asked: list[orders.WatchOrderRequest] = field(default_factory=list)
    correlation_ids: list[str] = field(default_factory=list)
    told: int = 0
    open: int = 0

    async def WatchOrder(  # noqa: N802
        self, request: orders.WatchOrderRequest, context: Any
    ) -> AsyncIterator[orders.WatchOrderResponse]:
        self.asked.append(request)
        self.correlation_ids.append(str(current_context().correlation_id))
        self.open += 1
        try:
            states = self.tell(request)
            if request.after_version != self.over_at:
                await context.send_initial_metadata(OPENED)
            async for each in states:
                self.told += 1
                yield orders.WatchOrderResponse(state=each)
        finally:
            self.open -= 1


@asynccontextmanager
async def serving_orders(
    servicer: Watched, calls: Calls | None = None, *, port: int = 0
) -> AsyncIterator[Running]:
    offered = Offered(ORDERS, servicer, add_OrderServiceServicer_to_server)
    async with listening([offered], host="127.0.0.1", port=port, calls=calls) as running:
        yield running
