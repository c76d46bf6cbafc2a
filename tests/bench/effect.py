"""What every contender does with an event: the statements, the row, and how it is told where its surroundings are."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from cdc.database import Connection
from cdc.sql import load_queries
from consumers.runtime.settings import WorkerSettings

QUERIES = load_queries("tests.bench")

Row = tuple[UUID | str, UUID, UUID, str, Decimal, datetime]
"""Message id and the five fields of a `PaymentCompleted`, in the order of the table's columns."""


class ContenderSettings(WorkerSettings):
    """Settings of a contender.

    Args:
        bench_topic: Topic to read.
        bench_group: Its consumer group, and its name in an inbox.
    """

    bench_topic: str
    bench_group: str


async def insert_effects(connection: Connection, rows: Iterable[Row]) -> None:
    """Write the effects of many events by one statement.

    Args:
        connection: The connection whose open transaction they belong to.
        rows: The effects, at least one.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    await connection.execute(QUERIES["insert_many"], columns)
