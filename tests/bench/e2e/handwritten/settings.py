"""What the programs of the reference are told, and what they share."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic_settings import BaseSettings, SettingsConfigDict

from cdc.sql import load_queries

QUERIES = load_queries(__package__)
KEEP_ALIVE_S = 60
"""Longer than clients keep a connection that they have no use for."""


class Settings(BaseSettings):
    """Where the surroundings are."""

    model_config = SettingsConfigDict(env_prefix="REFERENCE_")

    name: str
    client: str
    orders_url: str
    database_url: str
    kafka: str
    port: int = 0

    @property
    def options(self) -> str:
        """Of a connection to the database: its tables are in a schema of its own."""
        return f"-c search_path={self.name}"

    def topic(self, name: str) -> str:
        """Return a topic's name in Kafka."""
        return f"{self.name}.{name}"


def serve(create_app: Callable[[Settings], FastAPI]) -> None:
    """Serve an application until SIGTERM."""
    settings = Settings()
    uvicorn.run(
        create_app(settings),
        host="127.0.0.1",
        port=settings.port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_S,
    )


def run(main: Callable[[Settings, asyncio.Event], Any]) -> None:
    """Run a program until SIGTERM."""

    async def until_stopped() -> None:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await main(Settings(), stopped)

    asyncio.run(until_stopped())
