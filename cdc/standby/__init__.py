"""A streaming standby: how it stands, whether commits wait for it, and the copy it keeps of the connector's slot.

While it is waited for, it has every commit that was answered, and every change that the connector has been shown. So it
can take over at any moment, and nothing is missing nor known to Kafka alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

from psycopg import sql
from psycopg.rows import class_row

from cdc.database import SyncConnection
from cdc.slot import lsn_number
from cdc.sql import load_queries
from schemas.files import replace_file

QUERIES = load_queries(__package__)
WAITED_FOR: tuple[LiteralString, ...] = ("synchronous_standby_names", "synchronized_standby_slots")
"""Settings of the primary that name the standby as long as commits, and the connector, wait for it."""


@dataclass(frozen=True, slots=True)
class Standby:
    """A standby as its primary sees it."""

    is_streaming: bool  # it is connected, and has caught up once
    is_waited_for: bool  # by who commits, and by what the connector publishes
    is_synchronous: bool  # the primary's senders know of that
    flushed_lsn: str  # up to where it has everything on disk
    written_lsn: str  # up to where the primary has

    @property
    def lag_bytes(self) -> int:
        """WAL that it does not have on disk yet."""
        return max(0, lsn_number(self.written_lsn) - lsn_number(self.flushed_lsn))


@dataclass(frozen=True, slots=True)
class SynchronisedSlot:
    """The copy of a failover slot that a standby keeps."""

    synced: bool  # it follows the primary's; one that does not was made here, and is in the way of a copy
    temporary: bool  # it cannot be used yet, as the standby has not got to where it begins
    failover: bool
    invalidation_reason: str | None
    restart_lsn: str | None
    confirmed_flush_lsn: str | None

    @property
    def trouble(self) -> str:
        """Why nobody could go on with it after a promotion; empty when the connector could."""
        if self.invalidation_reason:
            return f"is given up ({self.invalidation_reason})"
        if not self.synced:
            return "is not that of the primary, and keeps that from being copied"
        if self.temporary:
            return "is not copied yet: the primary's begins before what the standby has"
        return "" if self.failover else "is not marked for failover"


def look(connection: SyncConnection, name: str) -> Standby:
    """Return how a standby stands, by the name that it gives its primary."""
    with connection.cursor(row_factory=class_row(Standby)) as cursor:
        found = cursor.execute(QUERIES["standby"], [name]).fetchone()
    assert found is not None  # noqa: S101 - there is always a row
    return found


def synchronised_slot(standby: SyncConnection, slot: str) -> SynchronisedSlot | None:
    with standby.cursor(row_factory=class_row(SynchronisedSlot)) as cursor:
        return cursor.execute(QUERIES["synchronised_slot"], [slot]).fetchone()


def wait_for(connection: SyncConnection, name: str) -> None:
    """Have commits, and the connector, wait for the standby of that name, whose slot is called the same."""
    for setting in WAITED_FOR:
        statement = sql.SQL("alter system set {} = {}")
        connection.execute(statement.format(sql.Identifier(setting), sql.Literal(name)))
    connection.execute(QUERIES["reload"])


def wait_no_more(connection: SyncConnection) -> None:
    """Have neither wait; also on a standby, for when it will be promoted."""
    for setting in WAITED_FOR:
        connection.execute(sql.SQL("alter system reset {}").format(sql.Identifier(setting)))
    connection.execute(QUERIES["reload"])


class Behind:
    """The mark, outside both servers, that the standby may lack commits that were answered.

    It is made before the primary goes on without the standby, and removed when the standby has everything again. Who
    promotes a standby after its primary was lost has nothing else to know that by.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def __bool__(self) -> bool:
        return self._file.exists()

    @property
    def since(self) -> str:
        return self._file.read_text().strip() if self else ""

    def mark(self, since: str) -> None:
        if not self:
            replace_file(self._file, since, 0o666)

    def remove(self) -> None:
        self._file.unlink(missing_ok=True)
