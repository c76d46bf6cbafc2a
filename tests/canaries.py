"""Canaries written to the canary's outbox for a topic of a test's own, in transactions that the test commits."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from cdc.envelope import WRITTEN
from cdc.ids import new_id
from cdc.sql import load_queries
from schemas.codec import Codec
from schemas.messages.canary import CanaryEmitted
from schemas.registry import SchemaStore
from tests.stack import RunningStack

APPEND = load_queries("cdc")["append_many"]


class Canaries:
    """Appends events to aggregates by the outbox's own statement.

    Args:
        stack: The running stack.
        topic: Where the publisher is to send them.
        url: libpq URL that leads to the outbox; the canary's own unless another is given.
    """

    def __init__(self, stack: RunningStack, topic: str, *, url: str | None = None) -> None:
        store = SchemaStore(stack.settings.registry_url, stack.settings.schema_cache)
        self._codec = Codec(store, [CanaryEmitted])
        self._url = url or stack.database_url("canary")
        self._topic = topic

    def connect(self) -> "psycopg.Connection[Any]":
        """Connect as the service that owns the outbox."""
        return psycopg.connect(self._url, connect_timeout=5)

    def append(
        self,
        connection: "psycopg.Connection[Any]",
        key: str,
        *,
        after_version: int,
        events: int = 1,
    ) -> list[UUID]:
        """Append events to an aggregate, and return their ids; committing is the caller's.

        Args:
            connection: Where to.
            key: The aggregate.
            after_version: Its version so far.
            events: How many.
        """
        ids = [new_id() for _ in range(events)]
        canaries = (CanaryEmitted(canary_id=i, emitted_at=datetime.now(UTC)) for i in ids)
        connection.execute(
            APPEND,
            dict.fromkeys(WRITTEN, [None] * events)
            | {
                "kind": "event",
                "id": ids,
                "topic": [self._topic] * events,
                "aggregate_type": ["canary"] * events,
                "aggregate_id": [key] * events,
                "aggregate_version": list(range(after_version + 1, after_version + 1 + events)),
                "type": [CanaryEmitted.NAME] * events,
                "payload": [self._codec.encode(canary) for canary in canaries],
                "correlation_id": [new_id()] * events,
            },
        )
        return ids
