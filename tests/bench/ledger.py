"""What the contenders have written, seen from outside: emptying it, counting it, and the figures in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from infra.services import SUPERUSER
from tests.bench.contender import ROLE
from tests.bench.effect import QUERIES
from tests.bench.errors import BenchError
from tests.stack import RunningStack


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast effects were committed, the first and the last tenth left out.

    Args:
        effects: Effects that were counted.
        seconds: The time that they took.
        per_s: Effects per second.
    """

    effects: int
    seconds: float
    per_s: float


class Ledger:
    """The tables of a benchmark.

    Args:
        connection: A superuser's, in autocommit, in the schema in which the contenders work.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def empty(self) -> None:
        """Empty all tables and write what is dirty to disk, so that every run begins alike."""
        self._connection.execute(QUERIES["empty"])
        self._connection.execute("checkpoint")

    def effects(self) -> int:
        """Return how many effects there are."""
        return int(self._one(QUERIES["effects"])[0])

    def rate(self) -> Rate:
        """Return how fast they came.

        Raises:
            BenchError: there are too few of them.
        """
        effects, seconds, per_s = self._one(QUERIES["rate"])
        if not per_s:
            raise BenchError(
                f"{effects} effects between the first and the last tenth tell no rate: ask for more events."
            )
        return Rate(effects, seconds, per_s)

    def latencies_ms(self, since: datetime) -> list[float]:
        """Return the milliseconds from event to effect, of events produced at a time or later."""
        rows = self._connection.execute(QUERIES["latencies"], {"since": since})
        return [latency for (latency,) in rows]

    def _one(self, query: bytes) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self._connection.execute(query).fetchone()
        if row is None:
            raise BenchError("There are no effects.")
        return row


@contextmanager
def open_ledger(stack: RunningStack) -> Iterator[Ledger]:
    """Create the tables of a benchmark in a running stack."""
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        connection.execute(sql.SQL("set search_path = {}").format(sql.Identifier(ROLE)))
        connection.execute(QUERIES["create"])
        yield Ledger(connection)
