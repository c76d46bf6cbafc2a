"""Wires the gRPC door of orders together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from producers.grpc.server import Offered
from producers.grpc.storage import StorageSettings, open_reading_pool
from producers.orders.rpc.v1 import OrderService
from producers.orders.rpc.watch import open_watch
from schemas.rpc.orders.v1.orders_pb2_grpc import add_OrderServiceServicer_to_server


class Settings(StorageSettings):
    """What the gRPC door of orders needs to know."""


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Sequence[Offered]]:
    """Open what the service works with; give what it offers."""
    async with open_reading_pool(settings) as pool, open_watch(pool) as watch:
        yield [
            Offered(
                "tailrace.orders.v1.OrderService",
                OrderService(pool, watch),
                add_OrderServiceServicer_to_server,
            )
        ]
