"""Keeps orders, each with its event in the outbox."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import async_sessionmaker

from tests.bench.e2e.with_faststream.sending import send
from tests.bench.e2e.with_faststream.settings import engine, serve
from tests.bench.e2e.with_faststream.storefront import NewOrder
from tests.bench.e2e.with_faststream.tables import Order

CONNECTIONS = 10

app = FastAPI()
sessions = async_sessionmaker(engine(CONNECTIONS), expire_on_commit=False)


@app.post("/orders", status_code=201)
async def place(order: NewOrder) -> dict[str, Any]:
    order_id = uuid4()
    lines = [line.model_dump() for line in order.lines]
    total = sum((Decimal(line.unit_price) * line.quantity for line in order.lines), Decimal())
    about = {"order_id": str(order_id), "total": str(total)}
    async with sessions() as session, session.begin():
        session.add(
            Order(order_id=order_id, customer_id=order.customer_id, lines=lines, total=total)
        )
        await send(session, "orders", "OrderCreated", about | {"lines": lines})
    return about | {"status": "pending"}


if __name__ == "__main__":
    serve(app)
