"""Wires the analytics service together; nothing is built anywhere else."""

from consumers.analytics.handlers import count_cancelled, count_confirmed, count_placed
from consumers.runtime.consumer import Consumer
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.worker import WorkerApp


class Settings(WorkerSettings):
    """Settings of the analytics service."""


def create_app(settings: Settings) -> WorkerApp:
    """Build the worker.

    Args:
        settings: Its settings.
    """
    consumer = Consumer(
        name="analytics-worker",
        handlers=[count_placed, count_confirmed, count_cancelled],
        unknown="ignore",  # it counts orders, and need not know what else happens to them
        parallel_partitions=1,  # all partitions add to the minute that is now
    )
    return WorkerApp(consumer, settings)
