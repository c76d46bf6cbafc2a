"""Wires fulfilment together; nothing is built anywhere else."""

from pydantic import Field

from consumers.fulfilment.saga import order_fulfilment
from tailrace import Consumer, Outside, WorkerSettings, saga_consumer


class Settings(WorkerSettings):
    """Settings of fulfilment."""

    # how long a participant may take, with what it has to do before: a backlog is no reason to undo orders
    answer_within_s: float = Field(default=300.0, gt=0)


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    return saga_consumer("fulfilment-worker", [order_fulfilment(settings.answer_within_s)])
