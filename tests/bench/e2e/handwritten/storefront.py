"""Takes orders from clients, and passes them on to the orders service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from tests.bench.e2e.handwritten.settings import Settings, serve


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


def create_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(settings.orders_url, timeout=timeout) as http:
            app.state.http = http
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/orders", status_code=201)
    async def place(order: Order) -> Any:
        async with app.state.http.post("/orders", json=order.model_dump()) as response:
            if response.status != 201:
                raise HTTPException(response.status, await response.text())
            return await response.json()

    return app


if __name__ == "__main__":
    serve(create_app)
