"""Wires the gRPC door of users together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import Field

from producers.calling.settings import CallSettings
from producers.grpc.client import GrpcUrl, open_channel_if
from producers.grpc.server import Offered
from producers.grpc.storage import StorageSettings, open_reading_pool
from producers.users.rpc.loyalty_client import LoyaltyClient
from producers.users.rpc.v1 import UserService
from schemas.rpc.users.v1.users_pb2_grpc import add_UserServiceServicer_to_server


class Settings(StorageSettings, CallSettings):
    """What the gRPC door of users needs to know."""

    loyalty_url: GrpcUrl | None = None
    # how long a user waits for their tier, in milliseconds; then they are told of without it
    loyalty_timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = 300


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Sequence[Offered]]:
    """Open what the service works with; give what it offers."""
    timeout_s = settings.loyalty_timeout_ms / 1000
    async with (
        open_reading_pool(settings) as pool,
        open_channel_if(
            settings.loyalty_url, longest_s=timeout_s, name="loyalty", settings=settings
        ) as channel,
    ):
        service = UserService(pool, LoyaltyClient(channel) if channel else None)
        yield [Offered("tailrace.users.v1.UserService", service, add_UserServiceServicer_to_server)]
