"""The REST side of the orders service: each version of orders, and its health."""

from fastapi import APIRouter

from producers.orders import v1, v2
from producers.orders.storage import Orders
from producers.rest.body import JsonRoute
from producers.rest.problems import answers

router = APIRouter(route_class=JsonRoute)
ROUTERS = (router, v1.router, v2.router)


@router.get("/health", responses=answers(503))
async def health(orders: Orders) -> dict[str, str]:
    """Say whether orders can be taken: the database answers."""
    async with orders.pool.connection() as connection:
        await connection.execute("select 1")
    return {"status": "ok"}
