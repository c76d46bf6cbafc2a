"""The store of one consumer in memory: it does what the one on Postgres does, and the same cases hold it to that."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from consumers.runtime import store
from consumers.runtime.delivery import Record
from consumers.runtime.failures import Failure
from consumers.runtime.store import (
    BatchClaim,
    ClaimResult,
    FenceLostError,
    ParkedMessage,
    ParkedSequence,
    Parking,
    Place,
    Transaction,
)
from consumers.testing.memory_locks import MemoryLocks
from consumers.testing.memory_state import Line, Position, Row, Transactions
from consumers.testing.records import kept_record


class MemoryStore:
    """The store of one consumer in memory."""

    def __init__(self, consumer: str, database: Transactions[Any]) -> None:
        self.locks = MemoryLocks(consumer, database)
        self._consumer = consumer
        self._database = database

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        return self._database.transaction()

    def savepoint(self, transaction: Transaction) -> AbstractAsyncContextManager[None]:
        return self._database.savepoint(transaction)

    async def position(self, place: Place) -> int | None:
        at = self._database.committed.positions.get((self._consumer, place))
        return None if at is None else at.next_offset

    async def stored_position(self, place: Place) -> store.Position | None:
        at = self._database.committed.positions.get((self._consumer, place))
        return None if at is None else store.Position(at.next_offset, at.topic_id)

    async def begin(self, place: Place, offset: int, topic_id: str | None = None) -> int:
        new = Position(offset, topic_id=topic_id)
        async with self.transaction() as transaction:
            positions = self._database.within(transaction).positions
            return positions.setdefault((self._consumer, place), new).next_offset

    async def adopt(self, place: Place, topic_id: str) -> None:
        async with self.transaction() as transaction:
            positions = self._database.within(transaction).positions
            at = positions[self._consumer, place]
            positions[self._consumer, place] = replace(at, topic_id=at.topic_id or topic_id)

    async def reset(self, place: Place, base: int, reset: store.Reset) -> None:
        async with self.transaction() as transaction:
            at = self._move(transaction, place, base, reset.position.offset)
            self._database.within(transaction).positions[self._consumer, place] = replace(
                at, topic_id=reset.position.topic_id, reset=reset
            )

    async def move(self, place: Place, base: int, offset: int) -> None:
        """Set a position to where Kafka has something, unless somebody has moved it meanwhile."""
        async with self.transaction() as transaction:
            self._move(transaction, place, base, offset)

    async def take(
        self, transaction: Transaction, claims: Sequence[BatchClaim]
    ) -> list[ClaimResult]:
        """Note ids as taken and move the positions on."""
        return [self._take(transaction, claim) for claim in claims]

    def _take(self, transaction: Transaction, claim: BatchClaim) -> ClaimResult:
        contents = self._database.within(transaction)
        new = self._admit(transaction, claim.message_ids)
        delivered = len(claim.message_ids)
        at = self._move(transaction, claim.place, claim.base, claim.next_offset)
        contents.positions[self._consumer, claim.place] = replace(
            at, applied=at.applied + len(new), duplicates=at.duplicates + delivered - len(new)
        )
        some_parked = any(line.topic == claim.place.topic for line in self._lines(transaction))
        return ClaimResult(None if len(new) == delivered else new, some_parked)

    async def parked_keys(
        self, transaction: Transaction, topic: str, keys: Collection[bytes]
    ) -> set[bytes]:
        return {
            line.key
            for line in self._lines(transaction)
            if line.topic == topic and line.key is not None and line.key in keys
        }

    async def park(self, transaction: Transaction, parkings: Sequence[Parking]) -> None:
        contents = self._database.within(transaction)
        for parking in parkings:
            if self._is_parked(transaction, parking):
                continue
            line = self._line_for(transaction, parking)
            row = Row(
                contents.next_id(),
                kept_record(parking.record),
                parking.message_id,
                parking.type,
                parking.failure,
                self._database.now(),
            )
            contents.lines[line.sequence_id] = replace(line, rows=(*line.rows, row))

    async def take_due(self, transaction: Transaction, limit: int) -> ParkedSequence | None:
        now = self._database.now()
        due = [
            (line.due, line.sequence_id, line)
            for line in self._lines(transaction)
            if line.due is not None and line.due <= now
        ]
        if not due:
            return None
        line = min(due)[-1]
        messages = [
            ParkedMessage(
                row.parked_id,
                row.record,
                row.message_id is not None or row.failure.reason != "behind",
                datetime.fromtimestamp(row.parked_at, UTC),
            )
            for row in line.rows[:limit]
        ]
        return ParkedSequence(
            sequence_id=line.sequence_id, attempts=line.attempts, messages=messages
        )

    async def unpark(self, transaction: Transaction, sequence_id: int, parked_id: int) -> None:
        lines = self._database.within(transaction).lines
        line = lines[sequence_id]
        rows = tuple(row for row in line.rows if row.parked_id != parked_id)
        if rows:
            lines[sequence_id] = replace(line, rows=rows, attempts=0, due=self._database.now())
        else:
            del lines[sequence_id]

    async def postpone(
        self, transaction: Transaction, sequence_id: int, failure: Failure, pause_s: float | None
    ) -> None:
        lines = self._database.within(transaction).lines
        line = lines[sequence_id]
        first, *others = line.rows
        lines[sequence_id] = replace(
            line,
            rows=(replace(first, failure=failure), *others),
            attempts=line.attempts + 1,
            due=self._after(pause_s),
        )

    def _admit(self, transaction: Transaction, message_ids: Sequence[str]) -> set[str]:
        """Note ids as taken, and return those that were not."""
        inbox = self._database.within(transaction).inbox
        new = {each for each in message_ids if (self._consumer, each) not in inbox}
        inbox.update((self._consumer, each) for each in new)
        return new

    def _move(self, transaction: Transaction, place: Place, base: int, offset: int) -> Position:
        positions = self._database.within(transaction).positions
        at = positions.get((self._consumer, place))
        if at is None or at.next_offset != base:
            raise FenceLostError(
                f"{self._consumer} is not at {base} of {place.topic}/{place.partition} any more"
            )
        positions[self._consumer, place] = moved = replace(at, next_offset=offset)
        return moved

    def _lines(self, transaction: Transaction) -> Iterator[Line]:
        lines = self._database.within(transaction).lines.values()
        return (line for line in lines if line.consumer == self._consumer)

    def _line_for(self, transaction: Transaction, parking: Parking) -> Line:
        topic, key = parking.record.topic, parking.record.key
        for line in self._lines(transaction):
            if line.topic == topic and key is not None and line.key == key:
                return line
        return Line(
            sequence_id=self._database.within(transaction).next_id(),
            consumer=self._consumer,
            topic=topic,
            key=key,
            attempts=1,
            due=self._after(parking.pause_s),
        )

    def _is_parked(self, transaction: Transaction, parking: Parking) -> bool:
        return any(
            _address(row.record, row.message_id) == _address(parking.record, parking.message_id)
            for line in self._lines(transaction)
            for row in line.rows
        )

    def _after(self, pause_s: float | None) -> float | None:
        return None if pause_s is None else self._database.now() + pause_s


def _address(record: Record, message_id: str | None) -> tuple[str, int, int, str | None]:
    return record.topic, record.partition, record.offset, message_id
