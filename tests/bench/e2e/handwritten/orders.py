"""Keeps orders, each with its event in the outbox."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

from tests.bench.e2e.handwritten.settings import QUERIES, Settings, serve
from tests.bench.e2e.handwritten.storefront import Order


def create_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncConnectionPool(
            settings.database_url, kwargs={"options": settings.options}, min_size=4, max_size=10
        ) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/orders", status_code=201)
    async def place(order: Order) -> dict[str, Any]:
        order_id = str(uuid4())
        lines = [line.model_dump() for line in order.lines]
        total = sum((Decimal(line.unit_price) * line.quantity for line in order.lines), Decimal())
        row = {"order_id": order_id, "customer_id": order.customer_id, "total": total}
        event = {"order_id": order_id, "total": str(total), "lines": lines}
        async with app.state.pool.connection() as connection, connection.pipeline():
            await connection.execute(QUERIES["place"], row | {"lines": json.dumps(lines)})
            sent = {"keys": [order_id], "payloads": [json.dumps(event)]}
            await connection.execute(
                QUERIES["send"], sent | {"topic": settings.topic("orders"), "type": "OrderCreated"}
            )
        return {"order_id": order_id, "status": "pending", "total": str(total)}

    return app


if __name__ == "__main__":
    serve(create_app)
