"""A new replication slot whose beginning is a snapshot that other transactions can look at.

The new slot is a temporary one at first, so that nothing is left of it when the recovery ends early, and the slot that
the connector would read does not exist before everything that lies in front of it is published.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.errors import LockNotAvailable, ObjectInUse

from cdc.database import connect
from cdc.slot import QUERIES

WAIT_S = 60
POLL_S = 0.2

Connection = psycopg.Connection[Any]


class SlotError(Exception):
    """A slot could not be made or dropped."""


@contextmanager
def beginning(url: str, name: str) -> Iterator[str]:
    """Make a temporary slot and yield the name of the snapshot at which it begins; it is dropped with the block.

    Whatever is committed by then is visible in the snapshot, and whatever is committed later will be delivered by the
    slot, and by `settle`'s copy of it.

    Raises:
        SlotError: there is one already, as another recovery is under way, or open transactions stand in the way.
    """
    with _replication(url) as connection:
        try:
            created = _run(
                connection,
                "CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')",
                name,
            )
        except LockNotAvailable as error:
            raise SlotError(_held_up(url)) from error
        except psycopg.errors.DuplicateObject as error:
            raise SlotError(
                f"the slot {name} exists, so another recovery is under way; wait for it"
            ) from error
        yield str(created["snapshot_name"])


def make(url: str, name: str) -> None:
    """Make a slot that standbys keep, and that delivers what is committed from now on.

    Raises:
        SlotError: open transactions stand in the way.
    """
    with _replication(url) as connection:
        try:
            _run(
                connection,
                "CREATE_REPLICATION_SLOT {} LOGICAL pgoutput (SNAPSHOT 'nothing', FAILOVER true)",
                name,
            )
        except LockNotAvailable as error:
            raise SlotError(_held_up(url)) from error


def drop(url: str, name: str) -> None:
    """Drop a slot, if there is one.

    Raises:
        SlotError: somebody reads it.
    """
    with connect(url, autocommit=True) as connection:
        _drop(connection, name)


def settle(url: str, temporary: str, name: str) -> None:
    """Put a copy of the temporary slot in the place of a slot that is of no use, if there is one.

    Raises:
        SlotError: somebody reads the old slot.
    """
    with connect(url, autocommit=True) as connection:
        _drop(connection, name)
        connection.execute(QUERIES["copy_slot"], [temporary, name])
    with _replication(url) as connection:
        # a copy is none that standbys keep
        _run(connection, "ALTER_REPLICATION_SLOT {} (FAILOVER true)", name)


def _drop(connection: Connection, name: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        row = connection.execute(QUERIES["slot"], [name]).fetchone()
        if row is None:
            return
        try:
            connection.execute(QUERIES["drop_slot"], [name])
        except ObjectInUse as error:
            # the end of a reader's process takes a moment
            if time.monotonic() > deadline:
                raise SlotError(
                    f"the slot {name} cannot be dropped, because somebody reads it ({error})"
                ) from error
            time.sleep(POLL_S)


@contextmanager
def _replication(url: str) -> Iterator[Connection]:
    """Connect for the commands of the replication protocol, which know no transactions."""
    with connect(
        url, {"lock_timeout": f"{WAIT_S}s"}, replication="database", autocommit=True
    ) as connection:
        yield connection


def _run(connection: Connection, command: LiteralString, name: str) -> dict[str, Any]:
    cursor = psycopg.ClientCursor(connection)
    cursor.execute(sql.SQL(command).format(sql.Identifier(name)))
    if cursor.description is None:
        return {}
    names = [column.name for column in cursor.description]
    return dict(zip(names, cursor.fetchone() or (), strict=True))


def _held_up(url: str) -> str:
    return (
        f"a new slot has to wait for transactions that are under way, and {WAIT_S} s were not enough; the oldest: "
        f"{_open_transactions(url)}. End them, then try again"
    )


def _open_transactions(url: str) -> str:
    with connect(url) as connection:
        rows = connection.execute(QUERIES["open_transactions"]).fetchall()
    return (
        ", ".join(f"pid {pid} of {user or 'somebody'}" for pid, user, _ in rows) or "none any more"
    )
