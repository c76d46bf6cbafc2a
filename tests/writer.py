"""A service that goes on writing to the canary's outbox while a test breaks something."""

import threading
from collections import defaultdict
from contextlib import AbstractContextManager
from uuid import UUID

import psycopg

from cdc.ids import new_id
from tests.canaries import Canaries
from tests.meanwhile import meanwhile
from tests.stack import RunningStack

KEYS = 20
PAUSE_S = 0.01
VERSION = "select coalesce(max(aggregate_version), 0) from outbox where aggregate_id = %s"


class Writer:
    """A service that appends an event to one aggregate after the other, and goes on when its database is back."""

    def __init__(self, stack: RunningStack, topic: str) -> None:
        self._canaries = Canaries(stack, topic)
        self._topic = topic
        self._run = new_id().hex
        self.failures = 0
        """Transactions of which it is not known whether they committed."""

    def at_work(self) -> AbstractContextManager[None]:
        """Write while the block runs."""
        return meanwhile(self._write)

    def written(self) -> dict[str, list[UUID]]:
        """Return the events that were committed, of each aggregate, by version."""
        found: dict[str, list[UUID]] = defaultdict(list)
        with self._canaries.connect() as connection:
            for key, message_id in connection.execute(
                "select aggregate_id, id from outbox where topic = %s order by aggregate_version",
                [self._topic],
            ):
                found[key].append(message_id)
        return found

    def _write(self, stopped: threading.Event) -> None:
        number = 0
        while not stopped.wait(PAUSE_S):
            number += 1
            key = f"{self._run}-{number % KEYS}"
            try:
                with self._canaries.connect() as connection:
                    row = connection.execute(VERSION, [key]).fetchone()
                    self._canaries.append(connection, key, after_version=row[0] if row else 0)
            except psycopg.OperationalError:
                self.failures += 1
