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
ORDERS, PAYMENTS = "handwritten.orders", "handwritten.payments"


class Settings(BaseSettings):
    """Where the surroundings are."""

    model_config = SettingsConfigDict(env_prefix="HANDWRITTEN_")

    port: int = 0
    orders_url: str = ""
    database_url: str = ""
    kafka: str = ""


def serve(create_app: Callable[[Settings], FastAPI]) -> None:
    """Serve an application until SIGTERM."""
    settings = Settings()
    uvicorn.run(
        create_app(settings),
        host="127.0.0.1",
        port=settings.port,
        access_log=False,
        log_level="warning",
    )


def run(main: Callable[[Settings, asyncio.Event], Any]) -> None:
    """Run a program until SIGTERM."""

    async def until_stopped() -> None:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await main(Settings(), stopped)

    asyncio.run(until_stopped())
