"""The locks and the stash of one consumer in memory: they do what those on Postgres do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from consumers.runtime.locking.lock import Freed, Holder, Want
from consumers.runtime.locking.store import Overdue, Stashed, Transaction
from consumers.runtime.received import Received
from consumers.testing.memory_state import Contents, Held, Transactions
from consumers.testing.records import kept_record


@dataclass(frozen=True, slots=True)
class MemoryLocks:
    """The locks of one consumer in memory."""

    consumer: str
    database: Transactions[Any]

    async def lock(
        self,
        transaction: Transaction,
        wants: Sequence[Want],
        now: datetime,
        turn: int | None = None,
    ) -> Sequence[bool]:
        contents = self.database.within(transaction)
        before = [each for each in self._stash(contents) if turn is None or each.stash_id < turn]
        return [self._grant(contents, want, before, now) for want in wants]

    async def stash(
        self, transaction: Transaction, waiting: Sequence[tuple[Want, Received[Any]]], now: datetime
    ) -> None:
        contents = self.database.within(transaction)
        for want, each in waiting:
            stashed = Stashed(
                stash_id=contents.next_id(),
                lock=want.lock,
                target=want.target,
                holder=want.holder,
                record=kept_record(each.record),
                message_id=each.message_id,
                type=each.type or "",
                expires_at=each.delivery.dropped_at,
            )
            contents.stash[stashed.stash_id] = (self.consumer, stashed)

    async def free(self, transaction: Transaction, freed: Sequence[Freed]) -> int:
        contents = self.database.within(transaction)
        dropped = [
            each.stash_id
            for each in self._stash(contents)
            if any(_is_of(freed_by, each.lock, each.holder) for freed_by in freed)
        ]
        for stash_id in dropped:
            del contents.stash[stash_id]
        for (consumer, lock, target), held in list(contents.locks.items()):
            if consumer == self.consumer and any(_is_of(by, lock, held.holder) for by in freed):
                del contents.locks[consumer, lock, target]
        return len(dropped)

    async def take_back(self, transaction: Transaction, now: datetime) -> Sequence[Overdue]:
        contents = self.database.within(transaction)
        overdue = [
            (at, held)
            for at, held in contents.locks.items()
            if at[0] == self.consumer and held.until <= now
        ]
        for at, _ in overdue:
            del contents.locks[at]
        return [Overdue(at[1], at[2], held.holder, held.since) for at, held in overdue]

    async def take_ready(
        self, transaction: Transaction, now: datetime, limit: int
    ) -> Sequence[Stashed]:
        contents = self.database.within(transaction)
        stash = self._stash(contents)
        return [each for each in stash if self._is_ready(contents, stash, each, now)][:limit]

    async def behind(self, transaction: Transaction, row: Stashed) -> Sequence[Stashed]:
        return [
            each
            for each in self._stash(self.database.within(transaction))
            if (each.holder, each.record.topic) == (row.holder, row.record.topic)
            and each.stash_id > row.stash_id
        ]

    async def unstash(self, transaction: Transaction, stash_id: int) -> None:
        self.database.within(transaction).stash.pop(stash_id, None)

    def _grant(
        self, contents: Contents[Any], want: Want, before: Sequence[Stashed], now: datetime
    ) -> bool:
        at = (self.consumer, want.lock, want.target)
        held = contents.locks.get(at)
        if any(each.holder == want.holder for each in before):
            return False
        if held is None:
            if any((each.lock, each.target) == at[1:] for each in before):
                return False
            contents.locks[at] = Held(want.holder, now, now + want.lease)
            return True
        if held.holder != want.holder:
            return False
        contents.locks[at] = replace(held, until=max(held.until, now + want.lease))
        return True

    def _is_ready(
        self, contents: Contents[Any], stash: Sequence[Stashed], row: Stashed, now: datetime
    ) -> bool:
        if row.expires_at is not None and row.expires_at <= now:
            return True
        before = [each for each in stash if each.stash_id < row.stash_id]
        if any(each.holder == row.holder for each in before):
            return False
        held = contents.locks.get((self.consumer, row.lock, row.target))
        if held is not None:
            return held.holder == row.holder
        return all((each.lock, each.target) != (row.lock, row.target) for each in before)

    def _stash(self, contents: Contents[Any]) -> list[Stashed]:
        return [each for name, each in contents.stash.values() if name == self.consumer]


def _is_of(freed: Freed, lock: str, holder: Holder) -> bool:
    saga_id, replies_to = freed.holder
    return (lock, holder.saga_id) == (freed.lock, saga_id) and replies_to in {
        "",
        holder.replies_to,
    }
