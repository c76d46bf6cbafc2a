"""The same answer over HTTP: `python -m tests.workers.answering_http`, with the environment of a REST service."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request

from cdc import logs
from cdc.database import open_pool
from cdc.service import load
from producers.rest.app import build_app
from producers.rest.server import run
from producers.rest.settings import ServiceSettings
from tests.workers.answering import FIND

MODULE = "tests.workers.answering_http"
CONNECTIONS = 4
"""As many as a worker has for answers."""

router = APIRouter()


class Settings(ServiceSettings):
    """What it needs to know."""

    database_url: str


@router.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/amounts/{amount_id}")
async def tell_amount(amount_id: UUID, request: Request) -> dict[str, str]:
    async with request.app.state.pool.connection() as connection:
        found = await connection.execute(FIND, [amount_id])
        [amount, _] = await found.fetchone()
    return {"amount_id": str(amount_id), "amount": str(amount)}


def create_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = open_pool(settings.database_url, max_size=CONNECTIONS, check=False, reads_only=True)
        async with pool:
            app.state.pool = pool
            yield

    return build_app(
        title="Amounts", description="Tells amounts.", routers=[router], lifespan=lifespan
    )


if __name__ == "__main__":
    told = load(Settings)
    logs.configure("answering-http")
    sys.exit(run(create_app(told), host=told.host, port=told.port))
