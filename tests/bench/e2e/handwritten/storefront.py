"""Takes orders from clients, and passes them on to the orders service."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx2
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from tests.bench.e2e.handwritten.settings import Settings, serve

TIMEOUT_S = 30


class Line(BaseModel):
    sku: str
    quantity: int
    unit_price: str
    tax_rate: str
    digital: bool = False


class Order(BaseModel):
    customer_id: str
    currency: str
    lines: list[Line]


Post = Callable[[dict[str, Any]], Awaitable[tuple[int, Any]]]
"""Sends an order to the orders service; returns the status and the document of its answer."""


@asynccontextmanager
async def by_aiohttp(url: str) -> AsyncIterator[Post]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(url, timeout=timeout) as http:

        async def post(body: dict[str, Any]) -> tuple[int, Any]:
            async with http.post("/orders", json=body) as response:
                return response.status, await response.json()

        yield post


@asynccontextmanager
async def by_httpx(url: str) -> AsyncIterator[Post]:
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx2.AsyncClient(base_url=url, timeout=TIMEOUT_S, limits=limits) as http:

        async def post(body: dict[str, Any]) -> tuple[int, Any]:
            response = await http.post("/orders", json=body)
            return response.status_code, response.json()

        yield post


CLIENTS = {"aiohttp": by_aiohttp, "httpx": by_httpx}


def create_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with CLIENTS[settings.client](settings.orders_url) as app.state.post:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/orders", status_code=201)
    async def place(order: Order) -> Any:
        status, document = await app.state.post(order.model_dump())
        if status != 201:
            raise HTTPException(status, document)
        return document

    return app


if __name__ == "__main__":
    serve(create_app)
