"""The public REST API: each version of orders, and what leads to them."""

from fastapi import APIRouter

from producers.rest.body import JsonRoute
from producers.rest.figures import FIGURES, HEALTHY
from producers.storefront import events, v1, v2
from schemas.rest.orders import API

router = APIRouter(route_class=JsonRoute)
ROUTERS = (router, v1.router, v2.router, events.router)


INDEX = {
    "orders": "/orders",
    "order": "/orders/{order_id}",
    **{f"orders_v{v.number}": f"{v.prefix}/orders" for v in API.versions},
    "health": "/health",
    "figures": FIGURES,
    "docs": "/docs",
    "description": "/openapi.json",
}


@router.get("/", responses={200: {"content": {"application/json": {"example": INDEX}}}})
async def index() -> dict[str, str]:
    """Say where everything is."""
    return INDEX


@router.get("/health", responses=HEALTHY)
async def health() -> dict[str, str]:
    """Say whether requests are served. Nothing behind the storefront is asked: it answers for itself."""
    return {"status": "ok"}
