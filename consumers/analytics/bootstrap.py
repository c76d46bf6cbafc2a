"""Wires the analytics service together; nothing is built anywhere else."""

from datetime import timedelta

from consumers.analytics.handlers import (
    count_cancelled,
    count_confirmed,
    count_placed,
    count_signed_up,
)
from tailrace import Consumer, Outside, Table, WorkerSettings


class Settings(WorkerSettings):
    """Settings of the analytics service."""


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    return Consumer(
        name="analytics-worker",
        handlers=[count_placed, count_confirmed, count_cancelled, count_signed_up],
        gather_s=0.1,  # nobody waits for the next figure
        parallel_partitions=1,  # all partitions add to the minute that is now
        tables={
            "orders_per_minute": Table(
                time="minute",
                after=timedelta(
                    minutes=1, seconds=5
                ),  # what happened in it is recorded a little later
                adds_up=True,
                is_projection=True,
            ),
            "sign_ups_per_day": Table(
                time="day",
                after=timedelta(days=1, seconds=5),
                adds_up=True,
                is_projection=True,
            ),
        },
    )
