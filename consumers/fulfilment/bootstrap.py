"""Wires fulfilment together; nothing is built anywhere else."""

from pydantic import Field

from consumers.fulfilment.saga import order_fulfilment
from tailrace import Consumer, Outside, WorkerSettings, saga_consumer


class Settings(WorkerSettings):
    """Settings of fulfilment."""

    answer_within_s: float = Field(default=30.0, gt=0)  # how long a participant may take


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    return saga_consumer("fulfilment-worker", [order_fulfilment(settings.answer_within_s)])
