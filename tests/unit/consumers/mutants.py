"""Stores that break the contract on purpose, each in one thing that is easily forgotten."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any

from consumers.runtime.consumer import Consumer
from consumers.runtime.failures import Failure
from consumers.runtime.store import (
    BatchClaim,
    ClaimResult,
    ParkedMessage,
    ParkedSequence,
    Parking,
    Place,
    Store,
    Transaction,
)
from consumers.runtime.window import InboxWindow
from consumers.testing.memory import MemoryDatabase
from consumers.testing.memory_state import Contents, Line, Position
from consumers.testing.memory_store import MemoryStore


class MutantDatabase(MemoryDatabase[Any]):
    """A database in memory with another store."""

    def __init__(self, store: type[MemoryStore]) -> None:
        super().__init__([])
        self._store = store

    async def open(self, consumer: Consumer) -> tuple[Store, InboxWindow]:
        """Return the mutant."""
        return self._store(consumer.name, self), InboxWindow()


class TakesWhatWasTaken(MemoryStore):
    """`on conflict do nothing` is there, but what conflicts is returned all the same."""

    def _admit(self, transaction: Transaction, message_ids: Sequence[str]) -> set[str]:
        super()._admit(transaction, message_ids)
        return set(message_ids)


class TakesRepetitionsInABatch(MemoryStore):
    """That an id came twice in the batch is not told."""

    def _take(self, transaction: Transaction, claim: BatchClaim) -> ClaimResult:
        taken = super()._take(transaction, claim)
        every_one = taken.new is not None and taken.new == set(claim.message_ids)
        return ClaimResult(None if every_one else taken.new, taken.some_parked)


class SharesTheInbox(MemoryStore):
    """The inbox forgets whose ids they are."""

    def _admit(self, transaction: Transaction, message_ids: Sequence[str]) -> set[str]:
        inbox = self._database.within(transaction).inbox
        new = {each for each in message_ids if ("", each) not in inbox}
        inbox.update(("", each) for each in new)
        return new


class IgnoresTheFence(MemoryStore):
    """The position moves wherever it was."""

    def _move(self, transaction: Transaction, place: Place, base: int, offset: int) -> Position:
        positions = self._database.within(transaction).positions
        at = positions.get((self._consumer, place)) or Position(0)
        positions[self._consumer, place] = moved = replace(at, next_offset=offset)
        return moved


class LeavesThePosition(MemoryStore):
    """The fence is looked at, and nothing moves."""

    def _move(self, transaction: Transaction, place: Place, base: int, offset: int) -> Position:
        moved = super()._move(transaction, place, base, offset)
        positions = self._database.within(transaction).positions
        positions[self._consumer, place] = stays = replace(moved, next_offset=base)
        return stays


class MovesBeforeTheCommit(MemoryStore):
    """The position is written outside the transaction."""

    def _take(self, transaction: Transaction, claim: BatchClaim) -> ClaimResult:
        taken = super()._take(transaction, claim)
        self._database.committed.positions |= self._database.within(transaction).positions
        return taken


class TakesBeforeTheCommit(MemoryStore):
    """The ids are written outside the transaction."""

    def _admit(self, transaction: Transaction, message_ids: Sequence[str]) -> set[str]:
        new = super()._admit(transaction, message_ids)
        self._database.committed.inbox |= self._database.within(transaction).inbox
        return new


class UndoesNothing(MemoryStore):
    """A savepoint that saves nothing."""

    def savepoint(self, transaction: Transaction) -> AbstractAsyncContextManager[None]:
        return nullcontext()


class CommitsWhatFailed(MemoryStore):
    """A transaction that commits, whatever is raised in it."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        error: BaseException | None = None
        async with super().transaction() as transaction:
            try:
                yield transaction
            except BaseException as raised:  # noqa: BLE001 - that is the point
                error = raised
        if error is not None:
            raise error


class CommitsWhatIsSpoilt(MemoryStore):
    """That a statement failed is forgotten at once."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as transaction:
            yield transaction
            self._database.within(transaction).spoilt = ""

    @asynccontextmanager
    async def savepoint(self, transaction: Transaction) -> AsyncIterator[None]:
        async with super().savepoint(transaction):
            yield
            self._database.within(transaction).spoilt = ""


class ForgetsToPark(MemoryStore):
    """Nothing is put aside: what failed is gone."""

    async def park(self, transaction: Transaction, parkings: Sequence[Parking]) -> None:
        """Do nothing."""


class ParksAtTheFront(MemoryStore):
    """What comes last is tried first."""

    async def park(self, transaction: Transaction, parkings: Sequence[Parking]) -> None:
        await super().park(transaction, parkings)
        lines = self._database.within(transaction).lines
        for number, line in lines.items():
            lines[number] = replace(line, rows=line.rows[::-1])


class HasOneLineForAll(MemoryStore):
    """Records without a key wait for each other."""

    def _line_for(self, transaction: Transaction, parking: Parking) -> Line:
        return next(self._lines(transaction), None) or super()._line_for(transaction, parking)


class KnowsRecordsByOffsetAlone(MemoryStore):
    """In a topic made anew, a message is taken for the one that lay there before."""

    def _is_parked(self, transaction: Transaction, parking: Parking) -> bool:
        return any(
            row.record.offset == parking.record.offset
            for line in self._lines(transaction)
            for row in line.rows
        )


class KnowsNoParkedKeys(MemoryStore):
    """Later messages overtake those that are parked."""

    async def parked_keys(
        self, transaction: Transaction, topic: str, keys: Collection[bytes]
    ) -> set[bytes]:
        return set()


class ConfusesParkedKeys(MemoryStore):
    """Another consumer's parked messages hold ours up."""

    def _lines(self, transaction: Transaction) -> Any:
        return iter(list(self._database.within(transaction).lines.values()))


class TriesAtOnce(MemoryStore):
    """Pauses are forgotten."""

    def _after(self, pause_s: float | None) -> float | None:
        return None if pause_s is None else self._database.now()


class TriesDeadLetters(MemoryStore):
    """No attempt is the last."""

    def _after(self, pause_s: float | None) -> float | None:
        return super()._after(pause_s or 0.0)


class TriesTheNewestFirst(MemoryStore):
    """Who has waited longest waits on."""

    async def take_due(self, transaction: Transaction, limit: int) -> ParkedSequence | None:
        lines = self._database.within(transaction).lines
        given = dict(lines)
        for number, line in given.items():
            lines[number] = replace(line, due=None if line.due is None else -line.due)
        taken = await super().take_due(transaction, limit)
        lines.update(given)
        return taken


class LosesCount(MemoryStore):
    """Attempts are not counted."""

    async def postpone(
        self, transaction: Transaction, sequence_id: int, failure: Failure, pause_s: float | None
    ) -> None:
        await super().postpone(transaction, sequence_id, failure, pause_s)
        lines = self._database.within(transaction).lines
        lines[sequence_id] = replace(lines[sequence_id], attempts=1)


class CountsOn(MemoryStore):
    """The next message of a key inherits the attempts of the one before."""

    async def unpark(self, transaction: Transaction, sequence_id: int, parked_id: int) -> None:
        lines = self._database.within(transaction).lines
        before = lines[sequence_id].attempts
        await super().unpark(transaction, sequence_id, parked_id)
        if sequence_id in lines:
            lines[sequence_id] = replace(lines[sequence_id], attempts=before)


class UnparksAll(MemoryStore):
    """With the first message of a key, those behind it are gone."""

    async def unpark(self, transaction: Transaction, sequence_id: int, parked_id: int) -> None:
        del self._database.within(transaction).lines[sequence_id]


class UnparksNothing(MemoryStore):
    """What took effect stays parked."""

    async def unpark(self, transaction: Transaction, sequence_id: int, parked_id: int) -> None:
        """Do nothing."""


class JudgesNobody(MemoryStore):
    """What waited behind another message is believed to have an id that the inbox has kept."""

    async def take_due(self, transaction: Transaction, limit: int) -> ParkedSequence | None:
        taken = await super().take_due(transaction, limit)
        if taken is None:
            return None
        messages = [ParkedMessage(each.parked_id, each.record) for each in taken.messages]
        return replace(taken, messages=messages)


class SendsOutsideTheTransaction(MemoryStore):
    """What is sent is kept, whatever becomes of the transaction."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        contents: Contents[Any] | None = None
        try:
            async with super().transaction() as transaction:
                contents = self._database.within(transaction)
                yield transaction
        finally:
            if contents is not None:
                self._database.committed.sent = contents.sent
