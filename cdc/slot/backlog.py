"""How much the outboxes hold that has not come to Kafka: cheap to ask, and by time instead of row by row.

The connector stores the commit time of the last transaction that Kafka has all of. A row that was written later is not
published. One that was written before, by a transaction that took long to commit, is not counted; `outbox verify`
compares message by message, and misses nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cdc.database import SyncConnection, connect
from cdc.ids import first_id_at
from cdc.shards import ALL, Keys
from cdc.slot import QUERIES

ID_SLACK = timedelta(minutes=1)
"""An id may have been made so long before its row was written."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Rows that are not in Kafka."""

    rows: int
    oldest: datetime | None  # when the oldest of them was written; None when there is none


def backlog(urls: Iterable[str], since: datetime, until: datetime, keys: Keys = ALL) -> Backlog:
    """Return the rows of some keys in outboxes that were written between two moments."""
    total, oldest = 0, None
    for url in urls:
        with connect(url) as connection:
            found = backlog_of(connection, since, until, keys)
        total += found.rows
        oldest = min(filter(None, (oldest, found.oldest)), default=None)
    return Backlog(total, oldest)


def backlog_of(
    connection: SyncConnection, since: datetime, until: datetime, keys: Keys = ALL
) -> Backlog:
    """Return the same of one outbox, to which a connection leads."""
    parameters = {
        "first_id": first_id_at(since - ID_SLACK),
        "since": since,
        "until": until,
    } | keys.parameters
    [[rows, oldest]] = connection.execute(QUERIES["unpublished"], parameters).fetchall()
    return Backlog(rows, oldest)
