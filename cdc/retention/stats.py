"""How much an outbox holds: events and messages, on disk and in time."""

from dataclasses import dataclass
from datetime import datetime

from cdc.retention.rounds import QUERIES, Connection

COUNTED_BYTES = 256 * 2**20
"""Up to this size on disk rows are counted; beyond, what Postgres believes is enough."""


@dataclass(frozen=True, slots=True)
class Held:
    """What an outbox holds of one kind.

    Args:
        rows: How many there are; None when nobody has counted.
        counted: Whether they were counted, or it is what Postgres believes.
        bytes: What they take on disk, with indexes.
        oldest: When the first was written; None when there is none, or it would take reading all.
        newest: When the last was written, likewise.
    """

    rows: int | None
    counted: bool
    bytes: int
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the publisher behind a replication slot is.

    Args:
        confirmed: Place in the WAL up to which everything is published.
        behind_bytes: WAL written since, by anybody.
    """

    confirmed: str
    behind_bytes: int


def measure(connection: Connection) -> tuple[Held, Held]:
    """Return what the outbox of the schema that a connection works in holds: events, and messages.

    Args:
        connection: Of a role that may read the outbox.
    """
    sizes = {
        kind: (size, estimate) for kind, size, estimate in connection.execute(QUERIES["sizes"])
    }
    return _events(connection, *sizes["event"]), _messages(connection, *sizes["message"])


def progress(connection: Connection, slot: str) -> Progress | None:
    """Return how far the publisher behind a slot is; None when there is no such slot.

    Args:
        connection: Of any role.
        slot: Name of the slot.
    """
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
