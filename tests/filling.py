"""Filling the canary's outbox with very many events at once, faster than messages can be encoded."""

from datetime import UTC, datetime
from typing import Any

import psycopg

from cdc.ids import new_id
from schemas.codec import Codec
from schemas.messages.canary import CanaryEmitted
from schemas.registry import SchemaStore
from tests.stack import RunningStack

INSERT = """
insert into outbox (
    id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type, payload, correlation_id
)
select
    uuidv7(), 'event', %(topic)s, 'canary', %(run)s || '-' || key, version, 'canary.CanaryEmitted',
    %(payload)s, uuidv7()
from generate_series(%(first)s::bigint, %(last)s::bigint) as version, generate_series(1, %(keys)s::bigint) as key
order by version, key
"""


class Filling:
    """Events of some keys for one topic, versions 1 and up.

    Args:
        stack: The running stack.
        topic: Where the connector is to send them.
        keys: How many keys.
    """

    def __init__(self, stack: RunningStack, topic: str, keys: int) -> None:
        store = SchemaStore(stack.settings.registry_url, stack.settings.schema_cache)
        codec = Codec(store, [CanaryEmitted])
        self._stack = stack
        self._parameters = {
            "topic": topic,
            "run": new_id().hex,
            "keys": keys,
            "payload": codec.encode(
                CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC))
            ),
        }
        self._version = 0

    def connect(self) -> "psycopg.Connection[Any]":
        """Connect as the service that owns the outbox."""
        return psycopg.connect(self._stack.database_url("canary"), connect_timeout=5)

    def add(self, connection: "psycopg.Connection[Any]", versions: int) -> int:
        """Append so many events to each key and return how many those are; committing is the caller's."""
        bounds = {"first": self._version + 1, "last": self._version + versions}
        done = connection.execute(INSERT, self._parameters | bounds).rowcount
        self._version += versions
        return done
