"""Keeps the locks and the stash of a consumer in the Postgres schema of its service."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cdc.database import Connection, Pool
from cdc.sql import load_queries
from consumers.runtime.locking.lock import Freed, Holder, Want
from consumers.runtime.locking.store import Overdue, Stashed
from consumers.runtime.received import Received
from consumers.runtime.stored import record_columns, stored_record

QUERIES = load_queries(__package__)

NO_TURN = 2**63 - 1
"""Behind all that wait."""


class PostgresLocks:
    """The locks of one consumer in Postgres.

    Args:
        consumer: Name of the consumer.
    """

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer

    async def lock(
        self,
        transaction: Connection,
        wants: Sequence[Want],
        now: datetime,
        turn: int | None = None,
    ) -> Sequence[bool]:
        values = {
            "consumer": self._consumer,
            "lock": [want.lock for want in wants],
            "target": [want.target for want in wants],
            **_holders([want.holder for want in wants]),
            "held_until": [now + want.lease for want in wants],
            "now": now,
            "turn": NO_TURN if turn is None else turn,
        }
        cursor = await transaction.execute(QUERIES["lock"], values)
        return [granted for (granted,) in await cursor.fetchall()]

    async def stash(
        self, transaction: Connection, waiting: Sequence[tuple[Want, Received[Any]]], now: datetime
    ) -> None:
        rows = [
            record_columns(each.record)
            | {
                "consumer": self._consumer,
                "lock": want.lock,
                "target": want.target,
                **want.holder._asdict(),
                "message_id": each.message_id,
                "type": each.type,
                "expires_at": each.delivery.dropped_at,
                "now": now,
            }
            for want, each in waiting
        ]
        await transaction.cursor().executemany(QUERIES["stash"], rows)

    async def free(self, transaction: Connection, freed: Sequence[Freed]) -> int:
        values = {
            "consumer": self._consumer,
            "lock": [each.lock for each in freed],
            **_holders([each.holder for each in freed]),
        }
        dropped = await transaction.execute(QUERIES["drop_stashed"], values)
        await transaction.execute(QUERIES["unlock"], values)
        return dropped.rowcount

    async def take_back(self, transaction: Connection, now: datetime) -> Sequence[Overdue]:
        values = {"consumer": self._consumer, "now": now}
        cursor = await transaction.execute(QUERIES["take_back"], values)
        return [
            Overdue(lock, target, Holder(saga_id, replies_to), locked_at)
            for lock, target, saga_id, replies_to, locked_at in await cursor.fetchall()
        ]

    async def take_ready(
        self, transaction: Connection, now: datetime, limit: int
    ) -> Sequence[Stashed]:
        values = {"consumer": self._consumer, "now": now, "limit": limit}
        cursor = await transaction.execute(QUERIES["take_ready"], values)
        return [_stashed(*row) for row in await cursor.fetchall()]

    async def behind(self, transaction: Connection, row: Stashed) -> Sequence[Stashed]:
        values = {"consumer": self._consumer, "stash_id": row.stash_id, "topic": row.record.topic}
        cursor = await transaction.execute(QUERIES["behind"], values | row.holder._asdict())
        return [_stashed(*each) for each in await cursor.fetchall()]

    async def unstash(self, transaction: Connection, stash_id: int) -> None:
        await transaction.execute(QUERIES["unstash"], {"stash_id": stash_id})


class Waiting:
    """How many commands wait in the stash of a consumer, as of the last look."""

    def __init__(self, consumer: str) -> None:
        self.figures: Mapping[str, Any] = {}
        self._consumer = consumer

    async def look(self, pool: Pool) -> None:
        async with pool.connection() as connection:
            cursor = await connection.execute(QUERIES["waiting"], {"consumer": self._consumer})
            commands, oldest_s = (await cursor.fetchall())[0]
        self.figures = {"commands": commands, "oldest_s": oldest_s}


def _holders(holders: Sequence[Holder]) -> dict[str, list[str]]:
    return {
        "saga_id": [holder.saga_id for holder in holders],
        "replies_to": [holder.replies_to for holder in holders],
    }


def _stashed(  # noqa: PLR0913, PLR0917 - the columns of a row
    stash_id: int,
    lock: str,
    target: str,
    saga_id: str,
    replies_to: str,
    message_id: str,
    type_: str,
    expires_at: datetime | None,
    stashed_at: datetime | None,
    *record: Any,
) -> Stashed:
    return Stashed(
        stash_id=stash_id,
        lock=lock,
        target=target,
        holder=Holder(saga_id, replies_to),
        record=stored_record(*record),
        message_id=message_id,
        type=type_,
        expires_at=expires_at,
        stashed_at=stashed_at,
    )
