"""Rows that the connector cannot get past, by what they are for and how large they are.

An outbox refuses both kinds, but may have them from before it did; and a topic may be deleted at any time. Connect says
nothing about the second: its producer waits for the topic without an end.
"""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from cdc.database import connect
from cdc.ids import first_id_at
from cdc.shards import ALL, Keys
from cdc.slot import QUERIES
from cdc.slot.backlog import ID_SLACK
from schemas.catalogue import catalogue


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Rows of an outbox that wait, and will wait for ever unless something is done."""

    outbox: str
    topic: str
    rows: int
    first: UUID
    size: int
    is_topic_missing: bool  # Kafka does not have the topic; otherwise they are too large

    @property
    def told(self) -> str:
        rows = f"{self.rows:,} rows of {self.outbox}, from {self.first} on,"
        if self.is_topic_missing:
            return f"{rows} wait for the topic {self.topic!r}, which Kafka does not have"
        return (
            f"{rows} are too large for {self.topic}, with up to {self.size:,} bytes where "
            f"{catalogue().message_bytes:,} are let through"
        )

    @property
    def remedy(self) -> str:
        if self.is_topic_missing and self.topic in catalogue().topics:
            return "`tailrace topics apply` makes the topic again"
        return "`tailrace connector recover --force` goes around them"


def obstacles(
    urls: Iterable[str], since: datetime, known_topics: Collection[str], keys: Keys = ALL
) -> list[Obstacle]:
    """Return what stands in the way among the rows of some keys that are not in Kafka."""
    found: list[Obstacle] = []
    parameters = {
        "first_id": first_id_at(since - ID_SLACK),
        "since": since,
        "topics": list(known_topics),
        "most": catalogue().batch_bytes,
        **keys.parameters,
    }
    for url in urls:
        with connect(url) as connection, suppress(psycopg.ProgrammingError):
            # an outbox that was altered, or closed to its role, is compared with what is declared elsewhere
            rows = connection.execute(QUERIES["obstacles"], parameters).fetchall()
            found += [Obstacle(*row) for row in rows]
    return found
