"""Having an outbox looked after, and what became of its partitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from cdc.sql import load_queries

QUERIES = load_queries(__package__)
ONE_DAY = timedelta(days=1)
ANSWERS_AT_ONCE = 1000

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Day:
    """What became, or would become, of one partition of messages."""

    name: str
    # its first day, by UTC; None where it has no lower bound, or is the default partition
    first_day: date | None
    last_day: date | None  # its last day; None for the default partition
    bytes: int
    # `dropped`, `made`, `taken over` (the default partition), `kept`, or `missing` when it could not be made
    fate: str
    why: str | None


def maintain(
    connection: Connection, schema: str, *, publisher: str, kept: timedelta, dry_run: bool = False
) -> list[Day]:
    """Have a schema's outbox looked after once, and return what became of each of its partitions.

    Args:
        publisher: Who publishes it, see `slot`; what he has not published is not dropped.

    Raises:
        psycopg.Error: the function is not there, is not ours to call, or others hold it up.
    """
    connection.execute(QUERIES["work_in"], {"schema": schema})
    query = QUERIES["plan" if dry_run else "maintain"]
    with connection.cursor(row_factory=class_row(Day)) as cursor:
        return cursor.execute(query, {"publisher": publisher, "kept": kept}).fetchall()


def remove_answers(connection: Connection, schema: str) -> int:
    """Have answers removed that were kept for requests with a key and have expired; return how many there were.

    Args:
        connection: In autocommit: a bounded number is removed at a time, so that nobody waits for long.

    Raises:
        psycopg.Error: the function is not ours to call, or others hold it up.
    """
    connection.execute(QUERIES["work_in"], {"schema": schema})
    if connection.execute(QUERIES["has_answers"]).fetchone() != (True,):
        return 0
    removed: int = 0
    while True:
        [[count]] = connection.execute(QUERIES["remove_answers"], {"at_most": ANSWERS_AT_ONCE})
        removed += count
        if count < ANSWERS_AT_ONCE:
            return removed


def troubles(days: Sequence[Day], *, today: date, kept: timedelta) -> list[str]:
    found = []
    missing = [day for day in days if day.fate in {"made", "missing"} and day.first_day is not None]
    if any(day.first_day <= today + ONE_DAY for day in missing if day.first_day):
        found.append("no partition for today or tomorrow")
    if any(day.last_day is None for day in days):
        found.append("messages lie in the default partition")
    for day in days:
        if day.last_day is not None and day.last_day < today - kept - ONE_DAY:
            why = day.why or "nobody has dropped it"
            found.append(f"{day.name} is kept beyond its time: {why}")
    return found


def hold(connection: Connection, schema: str, reason: str) -> None:
    """Have no day dropped until `release`: somebody will still need what is in them.

    Args:
        connection: Of the owner of the tables; committing is the caller's.
        reason: Why, as is told to whoever wonders; also what `release` names it by.
    """
    connection.execute(QUERIES["work_in"], {"schema": schema})
    connection.execute(QUERIES["hold"], {"reason": reason})


def release(connection: Connection, schema: str, reason: str) -> None:
    """Let days be dropped again, as far as this reason goes.

    Args:
        connection: Of the owner of the tables; committing is the caller's.
        reason: What `hold` was given.
    """
    connection.execute(QUERIES["work_in"], {"schema": schema})
    connection.execute(QUERIES["release"], {"reason": reason})
