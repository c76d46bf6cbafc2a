"""Wiring of the storefront."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI
from pydantic import AfterValidator, Field, HttpUrl, TypeAdapter

from producers.rest.app import build_app
from producers.rest.settings import ServiceSettings
from producers.storefront.api import ROUTERS
from producers.storefront.orders_client import open_client


def _http_url(url: str) -> str:
    TypeAdapter(HttpUrl).validate_python(url)
    return url


class Settings(ServiceSettings):
    """What the storefront needs to know."""

    orders_url: Annotated[str, AfterValidator(_http_url)]
    orders_timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = 5_000


def create_app(settings: Settings) -> FastAPI:
    """Return the service; it opens its connections when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        timeout_s = settings.orders_timeout_ms / 1000
        async with open_client(settings.orders_url, timeout_s=timeout_s) as orders:
            app.state.orders = orders
            yield

    return build_app(
        title="Tailrace storefront",
        description="Place orders and see what becomes of them.",
        routers=ROUTERS,
        lifespan=lifespan,
    )
