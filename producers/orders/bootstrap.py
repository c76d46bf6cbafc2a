"""Wiring of the orders service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI
from pydantic import Field

from cdc.database import open_pool
from cdc.delayed import published_when_due
from cdc.outbox import Outbox
from producers.orders import problems
from producers.orders.api import ROUTERS
from producers.orders.domain import EVENTS
from producers.orders.storage import Storage
from producers.rest.app import build_app
from producers.rest.settings import ServiceSettings

POOL_TIMEOUT_S = 2.0
"""Shorter than callers wait: they should hear that the database is away, not give up on this service."""


class Settings(ServiceSettings):
    """What the orders service needs to know.

    Args:
        database_url: libpq URL of the service's own role.
        registry_url: Base URL of the registry's Confluent-compatible API.
        schema_cache: Directory in which schema ids are kept.
    """

    database_url: Annotated[str, Field(min_length=1, repr=False)]
    registry_url: Annotated[str, Field(min_length=1)]
    schema_cache: Path


def create_app(settings: Settings) -> FastAPI:
    """Return the service; it connects when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        outbox = Outbox.open(settings.registry_url, settings.schema_cache, EVENTS)
        pool = open_pool(settings.database_url, timeout_s=POOL_TIMEOUT_S)
        async with pool, published_when_due(pool):
            app.state.storage = Storage(pool, outbox)
            yield

    app = build_app(
        title="Tailrace orders",
        description="Owns orders. Clients use the storefront; this is what stands behind it.",
        routers=ROUTERS,
        lifespan=lifespan,
    )
    problems.install(app)
    return app
