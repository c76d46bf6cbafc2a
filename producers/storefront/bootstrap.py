"""Wiring of the storefront."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Self

from fastapi import FastAPI
from pydantic import model_validator

from producers.calling.client import open_client
from producers.calling.settings import CallSettings
from producers.discovery.service_url import ServiceUrl
from producers.grpc.client import GrpcUrl, open_channel_if
from producers.rest.app import build_app
from producers.rest.settings import ServiceSettings
from producers.storefront.api import ROUTERS
from producers.storefront.orders_client import NAME, OrdersClient
from producers.storefront.orders_watch import LONGEST_S, OrdersWatch
from producers.storefront.settings import OwnSettings
from producers.storefront.stock_check import StockCheck, open_check


class Settings(ServiceSettings, CallSettings, OwnSettings):
    """What the storefront needs to know."""

    orders_url: ServiceUrl
    # where orders are followed; without it they cannot be
    orders_grpc_url: GrpcUrl | None = None
    kafka_bootstrap: str = ""
    registry_url: str = ""
    schema_cache: Path = Path()

    @model_validator(mode="after")
    def _can_ask(self) -> Self:
        if self.stock_check == "ask" and not (self.kafka_bootstrap and self.registry_url):
            raise ValueError(
                "TAILRACE_STOCK_CHECK=ask takes TAILRACE_KAFKA_BOOTSTRAP and TAILRACE_REGISTRY_URL as well"
            )
        return self


def create_app(settings: Settings) -> FastAPI:
    """Return the service; it opens its connections when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        timeout_s = settings.orders_timeout_ms / 1000
        async with (
            open_client(NAME, settings.orders_url, settings, timeout_s=timeout_s) as orders,
            open_channel_if(
                settings.orders_grpc_url, longest_s=LONGEST_S, name="orders-grpc", settings=settings
            ) as channel,
            _stock_check(settings) as stock_check,
        ):
            app.state.orders, app.state.stock_check = OrdersClient(orders), stock_check
            app.state.orders_watch = OrdersWatch(channel)
            app.state.targets = [orders.target]
            yield

    return build_app(
        title="Tailrace storefront",
        description="Place orders and see what becomes of them.",
        routers=ROUTERS,
        lifespan=lifespan,
        settings=settings,
    )


def _stock_check(settings: Settings) -> AbstractAsyncContextManager[StockCheck]:
    timeout_s = settings.stock_timeout_ms / 1000
    if settings.stock_check == "off":
        return nullcontext(StockCheck(None, timeout_s=timeout_s))
    return open_check(
        bootstrap=settings.kafka_bootstrap,
        registry_url=settings.registry_url,
        schema_cache=settings.schema_cache,
        timeout_s=timeout_s,
    )
