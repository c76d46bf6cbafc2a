"""Wires the worker of reports together; nothing is built anywhere else."""

from datetime import timedelta
from functools import partial

from pydantic import Field

from cdc.chores import Chore
from cdc.due import LOOK_EVERY_S
from consumers.reports import commands, sales
from consumers.reports.due import ExpiredWork, ForgettingWork
from consumers.reports.making import Maker
from tailrace import Consumer, Outside, Table, WorkerSettings


class Settings(WorkerSettings):
    """Settings of the worker of reports."""

    # how long a result can be fetched
    kept_hours: int = Field(default=24, ge=1, le=24 * 365)


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    maker = Maker(settings.database_url, timedelta(hours=settings.kept_hours))
    return Consumer(
        name="reports-worker",
        handlers=[
            sales.note_placed,
            sales.note_confirmed,
            sales.note_cancelled,
            sales.note_refunded,
            commands.accept,
        ],
        gather_s=0.1,
        due=[lambda *_: ExpiredWork(), lambda *_: ForgettingWork()],
        chores=lambda pool, _: [Chore("making reports", LOOK_EVERY_S, partial(maker.work, pool))],
        tables={
            "sale": Table(
                time="at",
                before=timedelta(seconds=5),
                after=timedelta(minutes=1),
                is_projection=True,
            ),
            "sale_line": Table(record_key="order_id", is_projection=True),
        },
    )
