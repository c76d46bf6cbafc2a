"""How much an outbox holds: events and messages, on disk and in time."""

from dataclasses import dataclass
from datetime import datetime

from cdc.retention.rounds import QUERIES, Connection

COUNTED_BYTES = 256 * 2**20
"""Up to this size on disk rows are counted; beyond, what Postgres believes is enough."""


@dataclass(frozen=True, slots=True)
class Held:
    """What an outbox holds of one kind."""

    rows: int | None  # how many there are; None when nobody has counted
    counted: bool
    bytes: int
    # when the first was written; None when there is none, or it would take reading all
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the publisher behind a replication slot is."""

    confirmed: str
    behind_bytes: int  # WAL written since, by anybody


def measure(connection: Connection) -> tuple[Held, Held]:
    """Return what the outbox of the schema that a connection works in holds: events, and messages."""
    sizes = {
        kind: (size, estimate) for kind, size, estimate in connection.execute(QUERIES["sizes"])
    }
    return _events(connection, *sizes["event"]), _messages(connection, *sizes["message"])


def progress(connection: Connection, slot: str) -> Progress | None:
    """Return how far the publisher behind a slot is; None when there is no such slot."""
    row = connection.execute(QUERIES["slot"], {"slot": slot}).fetchone()
    return None if row is None or row[0] is None else Progress(*row)


def _events(connection: Connection, size: int, estimate: int | None) -> Held:
    [oldest, newest] = connection.execute(QUERIES["event_ends"]).fetchone() or [None, None]
    if size > COUNTED_BYTES:
        return Held(estimate, counted=False, bytes=size, oldest=oldest, newest=newest)
    [rows] = connection.execute(QUERIES["count_events"]).fetchone() or [0]
    return Held(rows, counted=True, bytes=size, oldest=oldest, newest=newest)


def _messages(connection: Connection, size: int, estimate: int | None) -> Held:
    if size > COUNTED_BYTES:
        return Held(estimate, counted=False, bytes=size, oldest=None, newest=None)
    rows, oldest, newest = connection.execute(QUERIES["count_messages"]).fetchone() or (
        0,
        None,
        None,
    )
    return Held(rows, counted=True, bytes=size, oldest=oldest, newest=newest)
