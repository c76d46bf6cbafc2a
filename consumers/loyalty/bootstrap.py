"""Wires the listening half of loyalty together; nothing is built anywhere else."""

from consumers.loyalty.handlers import add_points, open_accounts
from tailrace import Consumer, Outside, Table, WorkerSettings


class Settings(WorkerSettings):
    """Settings of the loyalty worker."""


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    return Consumer(
        name="loyalty-worker",
        handlers=[open_accounts, add_points],
        gather_s=0.1,  # nobody waits for the next point
        parallel_partitions=1,  # orders of one customer are in many partitions
        tables={"account": Table(adds_up=True, is_projection=True)},
    )
