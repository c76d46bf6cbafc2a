"""Wires the analytics service together; nothing is built anywhere else."""

from consumers.analytics.handlers import count_cancelled, count_confirmed, count_placed
from consumers.runtime.consumer import Consumer
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.worker import WorkerApp
from schemas.messages.as_read_by_analytics_worker import (
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
)


class Settings(WorkerSettings):
    """Settings of the analytics service."""


def create_app(settings: Settings) -> WorkerApp:
    """Build the worker.

    Args:
        settings: Its settings.
    """
    consumer = Consumer(
        name="analytics-worker",
        handlers={
            OrderCreated: count_placed,
            OrderConfirmed: count_confirmed,
            OrderCancelled: count_cancelled,
        },
    )
    return WorkerApp(consumer, settings)
