"""Takes orders from clients, and passes them on to the orders service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from tests.bench.e2e.with_faststream.settings import ORDERS_URL, serve

TIMEOUT_S = 30


class Line(BaseModel):
    sku: str
    quantity: int
    unit_price: str
    tax_rate: str
    digital: bool = False


class NewOrder(BaseModel):
    customer_id: str
    currency: str
    lines: list[Line]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=ORDERS_URL, timeout=TIMEOUT_S, limits=limits) as http:
        app.state.http = http
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/orders", status_code=201)
async def place(order: NewOrder) -> Any:
    response = await app.state.http.post("/orders", json=order.model_dump())
    if response.status_code != 201:
        raise HTTPException(response.status_code, response.text)
    return response.json()


if __name__ == "__main__":
    serve(app)
