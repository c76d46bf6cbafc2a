"""Wires fulfilment together; nothing is built anywhere else."""

from consumers.fulfilment.saga import order_fulfilment
from consumers.fulfilment.settings import OwnSettings
from tailrace import Consumer, Outside, WorkerSettings, saga_consumer


class Settings(WorkerSettings, OwnSettings):
    """Settings of fulfilment."""


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    return saga_consumer("fulfilment-worker", [order_fulfilment(settings.answer_within_s)])
