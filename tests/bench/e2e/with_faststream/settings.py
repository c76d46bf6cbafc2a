"""What the programs of the reference are told, and what they share."""

import os
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

NAME = os.environ["REFERENCE_NAME"]
KAFKA = os.environ["REFERENCE_KAFKA"]
ORDERS_URL = os.environ["REFERENCE_ORDERS_URL"]
KEEP_ALIVE_S = 60
"""Longer than clients keep a connection that they have no use for."""


def engine(connections: int) -> AsyncEngine:
    """Return connections to the database, where the tables are in a schema of their own."""
    url = os.environ["REFERENCE_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://", 1)
    told: dict[str, Any] = {"server_settings": {"search_path": NAME}}
    return create_async_engine(url, pool_size=connections, max_overflow=0, connect_args=told)


def serve(app: FastAPI) -> None:
    """Serve an application until SIGTERM."""
    port = int(os.environ["REFERENCE_PORT"])
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_S,
    )
