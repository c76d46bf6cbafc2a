"""Keeps a consumer's inbox, positions and parked messages in the Postgres schema of its service."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from psycopg import AsyncCursor
from psycopg.pq import TransactionStatus

from cdc.database import Connection, Pool
from cdc.sql import load_queries
from consumers.runtime.failures import Failure, escaped
from consumers.runtime.locking.postgres import PostgresLocks
from consumers.runtime.store import (
    BatchClaim,
    ClaimResult,
    FenceLostError,
    ParkedMessage,
    ParkedSequence,
    Parking,
    Place,
    Position,
    Reset,
    SpoiltTransactionError,
)
from consumers.runtime.stored import record_columns, stored_record
from consumers.runtime.window import EVERYTHING, InboxWindow

QUERIES = load_queries(__package__)


class PostgresStore:
    """The store of one consumer in Postgres.

    Args:
        consumer: Name of the consumer.
        pool: Connections to its service's schema.
    """

    def __init__(self, consumer: str, pool: Pool) -> None:
        self.topic_ids: Mapping[str, str] = {}
        """Topics by name, as of when their partitions were taken over: nothing is taken from others of these names."""
        self.locks = PostgresLocks(consumer)
        self._consumer = consumer
        self._pool = pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self._pool.connection() as connection, connection.transaction():
            yield connection
            _require_sound(connection)

    @asynccontextmanager
    async def savepoint(self, transaction: Connection) -> AsyncIterator[None]:
        went_through = False
        async with transaction.transaction():
            yield
            _require_sound(transaction)
            went_through = True
        if not went_through:
            raise SpoiltTransactionError(
                "a handler raised psycopg.Rollback out of the transaction block that it was meant for"
            )

    async def position(self, place: Place) -> int | None:
        position = await self.stored_position(place)
        return None if position is None else position.offset

    async def stored_position(self, place: Place) -> Position | None:
        """Return how far the consumer has come, and in which topic; None when it has never been in the partition."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(QUERIES["position"], self._at(place))
            row = await cursor.fetchone()
        return None if row is None else Position(*row)

    async def begin(self, place: Place, offset: int, topic_id: str | None = None) -> int:
        parameters = self._at(place) | {"offset": offset, "topic_id": topic_id}
        async with self._pool.connection() as connection:
            await connection.execute(QUERIES["begin"], parameters)
        position = await self.position(place)
        return offset if position is None else position

    async def move(self, place: Place, base: int, offset: int) -> None:
        await self._set("move", place, base, {"offset": offset})

    async def adopt(self, place: Place, topic_id: str) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(QUERIES["adopt"], self._at(place) | {"topic_id": topic_id})

    async def reset(self, place: Place, base: int, reset: Reset) -> None:
        """Go on elsewhere than at the position, unless somebody has moved it meanwhile.

        Raises:
            FenceLostError: the stored position is not the base.
        """
        parameters = asdict(reset.position) | {"lost": reset.lost, "reason": reset.reason}
        await self._set("reset", place, base, parameters)

    async def _set(self, query: str, place: Place, base: int, parameters: dict[str, Any]) -> None:
        async with self._pool.connection() as connection:
            done = await connection.execute(
                QUERIES[query], self._at(place) | {"base": base} | parameters
            )
        if not done.rowcount:
            raise self._fence_lost(place, base)

    def _at(self, place: Place) -> dict[str, Any]:
        return {"consumer": self._consumer, **place._asdict()}

    async def remember_for(self, kept: timedelta | None) -> None:
        """Say how long this consumer needs the ids that it has taken; None for ever."""
        async with self._pool.connection() as connection:
            await connection.execute(
                QUERIES["set_window"], {"consumer": self._consumer, "kept": kept}
            )

    async def maintain(self, window: InboxWindow) -> None:
        """Make the inbox's partitions ahead, drop those that nobody needs, and note which ids it takes."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(QUERIES["maintain_inbox"])
            [[first, end]] = await cursor.fetchall()
        window.first, window.end = first or EVERYTHING, end

    async def take(
        self, transaction: Connection, claims: Sequence[BatchClaim]
    ) -> list[ClaimResult]:
        """Note ids as taken and move the positions on, all in one round trip.

        Raises:
            FenceLostError: a stored position is not its claim's base.
        """
        if len(claims) == 1:
            cursors = [await self._take(transaction, claims[0])]
        else:
            async with transaction.pipeline():
                cursors = [await self._take(transaction, claim) for claim in claims]
        results = []
        for claim, cursor in zip(claims, cursors, strict=True):
            [[held, ids, some_parked, all_new]] = await cursor.fetchall()
            if not held:
                raise self._fence_lost(claim.place, claim.base)
            results.append(ClaimResult(None if all_new else set(ids or ()), some_parked))
        return results

    async def _take(
        self, transaction: Connection, claim: BatchClaim
    ) -> AsyncCursor[tuple[Any, ...]]:
        parameters = {
            "consumer": self._consumer,
            **claim.place._asdict(),
            "base": claim.base,
            "topic_id": self.topic_ids.get(claim.place.topic),
            "next_offset": claim.next_offset,
            # one text for all ids: an array of thousands is built much faster so than by the driver
            "ids": "{" + ",".join(claim.message_ids) + "}",
            "delivered": len(claim.message_ids),
        }
        return await transaction.execute(QUERIES["take"], parameters)

    async def parked_keys(
        self, transaction: Connection, topic: str, keys: Collection[bytes]
    ) -> set[bytes]:
        cursor = await transaction.execute(
            QUERIES["parked_keys"],
            {"consumer": self._consumer, "topic": topic, "keys": list(keys)},
        )
        return {bytes(row[0]) for row in await cursor.fetchall()}

    async def park(self, transaction: Connection, parkings: Sequence[Parking]) -> None:
        rows = [self._row(parking) for parking in parkings]
        await transaction.cursor().executemany(QUERIES["park"], rows)

    async def take_due(self, transaction: Connection, limit: int) -> ParkedSequence | None:
        cursor = await transaction.execute(QUERIES["take_due"], {"consumer": self._consumer})
        due = await cursor.fetchone()
        if due is None:
            return None
        cursor = await transaction.execute(
            QUERIES["parked_messages"], {"sequence_id": due[0], "limit": limit}
        )
        messages = [
            ParkedMessage(parked_id, stored_record(*record), was_judged, parked_at)
            for parked_id, was_judged, parked_at, *record in await cursor.fetchall()
        ]
        return ParkedSequence(sequence_id=due[0], attempts=due[1], messages=messages)

    async def unpark(self, transaction: Connection, sequence_id: int, parked_id: int) -> None:
        await transaction.execute(QUERIES["remove_message"], {"parked_id": parked_id})
        ended = await transaction.execute(
            QUERIES["remove_empty_sequence"], {"sequence_id": sequence_id}
        )
        if not ended.rowcount:
            await transaction.execute(QUERIES["go_on_with_sequence"], {"sequence_id": sequence_id})

    async def postpone(
        self, transaction: Connection, sequence_id: int, failure: Failure, pause_s: float | None
    ) -> None:
        parameters = asdict(failure) | {"sequence_id": sequence_id, "pause_s": pause_s}
        await transaction.execute(QUERIES["postpone"], parameters)

    def _fence_lost(self, place: Place, base: int) -> FenceLostError:
        return FenceLostError(
            f"{self._consumer} is not at {base} of {place.topic}/{place.partition} any more"
        )

    def _row(self, parking: Parking) -> dict[str, Any]:
        about = {
            "consumer": self._consumer,
            "message_id": parking.message_id,
            "type": None if parking.type is None else escaped(parking.type),
            "pause_s": parking.pause_s,
        }
        return asdict(parking.failure) | record_columns(parking.record) | about


def _require_sound(transaction: Connection) -> None:
    """Refuse to go on where Postgres would undo everything without a word when it is told to commit.

    Raises:
        SpoiltTransactionError: a statement has failed, or somebody has ended the transaction.
    """
    match transaction.info.transaction_status:
        case TransactionStatus.INERROR:
            raise SpoiltTransactionError(
                "a statement failed in the transaction and a handler went on; to go on after an error it must put what "
                "may fail into `async with connection.transaction()`"
            )
        case TransactionStatus.IDLE:
            raise SpoiltTransactionError("a handler has ended the transaction that it was given")
