"""What operators see of locks, and do about them: on a connection to the schema of one service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cdc.database import SyncConnection
from consumers.runtime.locking.postgres import QUERIES

SHOWN = 10
"""Sagas that are named of those which wait for one target, the first ones first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A target, who has it, and who waits for it.

    Args:
        saga_id: The saga that has it; None of a target that is free and about to go to the first that waits.
        replies_to: Topic of its replies.
        locked_at: Since when.
        held_until: When it loses it.
        waiting: Commands in the stash.
        waiting_since: When the first of them came; None where nothing waits.
        next_expires_at: When the first of them expires, if one does.
        waiting_sagas: Sagas that wait, the first ones first.
    """

    consumer: str
    lock: str
    target: str
    saga_id: str | None
    replies_to: str | None
    locked_at: datetime | None
    held_until: datetime | None
    waiting: int
    waiting_since: datetime | None
    next_expires_at: datetime | None
    waiting_sagas: Sequence[str] | None


def read_locks(connection: SyncConnection, limit: int) -> list[Locked]:
    """Return what is locked, or waited for, in a schema; those first for which most wait."""
    with connection.cursor(row_factory=class_row(Locked)) as cursor:
        return cursor.execute(QUERIES["held"], {"limit": limit, "shown": SHOWN}).fetchall()


def find_locked(connection: SyncConnection, lock: str, target: str) -> list[Locked]:
    """Return a target by its name, as often as consumers of a schema have locked one that is called so."""
    values = {"lock": lock, "target": target, "shown": SHOWN}
    with connection.cursor(row_factory=class_row(Locked)) as cursor:
        return cursor.execute(QUERIES["held_target"], values).fetchall()


def unlock(connection: SyncConnection, locked: Locked, *, actor: str, why: str) -> int | None:
    """Free a target for whoever waits for it, and write down who did; None when its saga has it no more."""
    values = {
        "consumer": locked.consumer,
        "lock": locked.lock,
        "target": locked.target,
        "saga_id": locked.saga_id,
        "replies_to": locked.replies_to,
        "actor": actor,
        "why": why,
    }
    row = connection.execute(QUERIES["unlock_by_hand"], values).fetchone()
    return row[0] if row else None
