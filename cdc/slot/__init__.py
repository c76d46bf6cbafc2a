"""The replication slot: where Postgres has the connector's bookmark, and how much WAL it holds back for it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from cdc.database import connect
from cdc.sql import load_queries

QUERIES = load_queries(__package__)
PLUGIN = "pgoutput"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A replication slot as Postgres shows it."""

    name: str
    active: bool
    active_pid: int | None
    # `reserved`, `extended`, `unreserved` or `lost`, in the words of `pg_replication_slots`
    wal_status: str | None
    invalidation_reason: str | None  # why Postgres has given it up; None when it has not
    # where the WAL that it holds back begins; None when it holds none back any more
    restart_lsn: str | None
    confirmed_flush_lsn: str | None  # up to where its reader has everything in safety
    retained_bytes: int | None  # WAL that it holds back, in bytes
    unconfirmed_bytes: int | None  # WAL that its reader has not confirmed, in bytes
    # WAL that can still be written before the slot is in danger, in bytes; None without a limit
    safe_bytes: int | None
    limit_bytes: int | None  # `max_slot_wal_keep_size` in bytes; None when there is no limit
    inactive_since: datetime | None  # since when nobody reads it
    failover: bool
    plugin: str | None  # what turns WAL into what its reader is sent; None for a physical slot
    is_here: bool  # whether it is of this database; never so for a physical slot

    @property
    def is_lost(self) -> bool:
        """Whether Postgres has given it up, so that it can never be read again."""
        return self.wal_status == "lost" or self.invalidation_reason is not None

    @property
    def is_readable(self) -> bool:
        """Whether a connector of this database can read it, by its kind."""
        return self.plugin == PLUGIN and self.is_here

    def has_confirmed(self, lsn: str) -> bool:
        """Tell whether its reader has everything in safety that was written before a place in the WAL."""
        return lsn_number(self.confirmed_flush_lsn or "0/0") >= lsn_number(lsn)


def read_slot(url: str, name: str) -> Slot | None:
    """Return a slot, or None when there is none of that name."""
    with (
        connect(url) as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        rows: list[dict[str, Any]] = cursor.execute(QUERIES["slot"], [name]).fetchall()
    return Slot(name=name, **rows[0]) if rows else None


def lsn_number(lsn: str) -> int:
    """Return an LSN such as `0/1A2B3C4` as the number of bytes that it stands for."""
    high, _, low = lsn.partition("/")
    return int(high, 16) << 32 | int(low, 16)
