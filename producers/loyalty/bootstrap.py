"""Wires the loyalty service together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from producers.grpc.server import Offered
from producers.grpc.storage import StorageSettings, open_reading_pool
from producers.loyalty.v1 import LoyaltyService
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import add_LoyaltyServiceServicer_to_server


class Settings(StorageSettings):
    """Settings of the loyalty service."""


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Sequence[Offered]]:
    """Open what the service works with; give what it offers."""
    async with open_reading_pool(settings) as pool:
        service = LoyaltyService(pool)
        yield [
            Offered(
                "tailrace.loyalty.v1.LoyaltyService", service, add_LoyaltyServiceServicer_to_server
            )
        ]
