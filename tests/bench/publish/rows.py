"""The rows of the benchmark `publish`: events in an outbox, one by one or very many."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from cdc.ids import new_id
from cdc.sql import load_queries
from infra.services import SUPERUSER
from tests.stack import RunningStack

QUERIES = load_queries("tests.bench.publish")
PAYLOAD_BYTES = 200
ROWS_A_TRANSACTION = 10


class Rows:
    """Writes to one outbox.

    Args:
        connection: In autocommit, in the schema of the outbox.
        topic: Where to the events are to be published.
    """

    def __init__(self, connection: psycopg.Connection[Any], topic: str) -> None:
        self._connection = connection
        self._topic = topic

    def fill(self, count: int, keys: int) -> None:
        """Commit events as fast as it goes, ten in a transaction, and write down what is dirty.

        Args:
            count: How many.
            keys: How many aggregates they are spread over, in turn.
        """
        values = (count // ROWS_A_TRANSACTION, ROWS_A_TRANSACTION, keys, self._topic, PAYLOAD_BYTES)
        statement = sql.SQL(QUERIES["fill"].decode())
        self._connection.execute("set synchronous_commit = off")
        self._connection.execute(statement.format(*map(sql.Literal, values)))
        self._connection.execute("reset synchronous_commit")
        self._connection.execute("checkpoint")

    def trickle(self, count: int, per_s: float) -> dict[str, float]:
        """Commit events one by one at a steady rate.

        Args:
            count: How many.
            per_s: Transactions per second.

        Returns:
            Message id -> when its commit was sent to the server, on `time.perf_counter`.
        """
        committed: dict[str, float] = {}
        begin = time.perf_counter()
        for number in range(count):
            time.sleep(max(0.0, begin + number / per_s - time.perf_counter()))
            message_id = new_id()
            values = {"id": message_id, "topic": self._topic, "payload": bytes(PAYLOAD_BYTES)}
            with self._connection.transaction():
                self._connection.execute(QUERIES["event"], values)
                committed[str(message_id)] = time.perf_counter()
        return committed


@contextmanager
def open_rows(stack: RunningStack, schema: str, topic: str) -> Iterator[Rows]:
    """Connect to an outbox.

    Args:
        stack: A running stack.
        schema: Schema of the outbox.
        topic: Where to the events are to be published.
    """
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        connection.execute(sql.SQL("set search_path = {}").format(sql.Identifier(schema)))
        yield Rows(connection, topic)
