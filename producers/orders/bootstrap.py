"""Wiring of the orders service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from producers.calling.settings import CallSettings
from producers.grpc.client import GrpcUrl, open_channel_if
from producers.orders import problems, v1, v2
from producers.orders.domain import EVENTS
from producers.orders.service import SERVICE
from producers.orders.settings import OwnSettings
from producers.orders.users_client import UsersClient
from producers.rest.storage import StorageSettings, build_stored_app
from schemas.messages.orders import Fulfilment


class Settings(StorageSettings, CallSettings, OwnSettings):
    """What the orders service needs to know."""

    # whom customers who are users are looked up at; without it prices are the same for everybody
    users_grpc_url: GrpcUrl | None = None


def create_app(settings: Settings) -> FastAPI:
    """Return the service; it connects when it starts."""

    @asynccontextmanager
    async def asking_users(app: FastAPI) -> AsyncIterator[None]:
        timeout_s = settings.users_timeout_ms / 1000
        async with open_channel_if(
            settings.users_grpc_url, longest_s=timeout_s, name="users-grpc", settings=settings
        ) as channel:
            app.state.users = UsersClient(channel)
            app.state.targets = [channel.target] if channel else []
            yield

    app = build_stored_app(
        SERVICE,
        settings,
        description="Owns orders. Clients use the storefront; this is what stands behind it.",
        routers=(v1.router, v2.router),
        events=EVENTS,
        beside=asking_users,
        about_health="Say whether orders can be taken: the database answers.",
    )
    app.state.fulfilment = Fulfilment(settings.fulfilment)
    problems.install(app)
    return app
