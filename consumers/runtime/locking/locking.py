"""What is done about locks around the call of a handler, in its transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from cdc.logs import FieldLogger
from consumers.runtime.consumer import Consumer
from consumers.runtime.locking.lock import Freed, Holder, Lock, Want
from consumers.runtime.locking.store import LockStore, Transaction
from consumers.runtime.received import Received
from schemas.message import Message

log = FieldLogger(__name__)


class Locking:
    """Takes and frees the locks that a consumer declares.

    Args:
        consumer: What it declares.
        store: Where locks and the stash are.
    """

    def __init__(self, consumer: Consumer, store: LockStore) -> None:
        self._consumer = consumer
        self._store = store
        self._lock_of: Mapping[type[Message], Lock] = {
            command: lock for lock in consumer.locks for command in lock.takes
        }

    async def admit(
        self, todo: Sequence[Received[Any]], transaction: Transaction, turn: int | None = None
    ) -> Sequence[Received[Any]]:
        """Lock what commands are about; return the messages to handle now, and stash the others.

        Args:
            todo: Messages in their order.
            turn: Where the message itself is in the stash; it stays there when it has to wait on.
        """
        for each in todo:
            each.replied = None  # of an attempt that was rolled back
        wanting = [
            (Want.of(lock, each.message, each.delivery), each)
            for each in todo
            if (lock := self._lock_of.get(type(each.message)))
        ]
        if not wanting:
            return todo
        now = self._consumer.clock()
        granted = await self._store.lock(transaction, [want for want, _ in wanting], now, turn)
        waiting, behind = [], set[Holder]()
        for (want, each), is_granted in zip(wanting, granted, strict=True):
            # what comes of a saga behind a command that waits is not to overtake it
            if not is_granted or want.holder in behind:
                behind.add(want.holder)
                waiting.append((want, each))
        if not waiting:
            return todo
        if turn is None:
            await self._store.stash(transaction, waiting, now)
            log.info(
                "commands stashed: another saga has their target",
                consumer=self._consumer.name,
                commands=len(waiting),
            )
        stashed = {id(each) for _, each in waiting}
        return [each for each in todo if id(each) not in stashed]

    async def release(self, done: Sequence[Received[Any]], transaction: Transaction) -> None:
        """Free what sagas hold that are done with it by what was handled, or by what it was answered."""
        freed = [
            Freed(lock.name, Holder.of(each.delivery))
            for each in done
            for lock in self._consumer.locks
            if type(each.message) in lock.freed_by or each.replied in lock.freed_by
        ]
        if not freed:
            return
        dropped = await self._store.free(transaction, list(dict.fromkeys(freed)))
        if dropped:
            log.info(
                "stashed commands dropped: their saga is done",
                consumer=self._consumer.name,
                commands=dropped,
            )
