"""Calls handlers, each with a unit of work, and through the consumer's middleware."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from cdc.outbox import Outbox
from cdc.tracing.spans import recorder
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import Handler
from consumers.runtime.handling_trace import note_calls, note_stashed
from consumers.runtime.locking.locking import Locking
from consumers.runtime.middleware import CallNext
from consumers.runtime.received import Received
from consumers.runtime.store import Store, Transaction
from consumers.runtime.work import BulkWork, Work


class Dispatcher:
    """Calls the handlers of a consumer.

    Args:
        consumer: Whose handlers they are.
        outbox: Where they send.
        store: Where locks are that they declare.
    """

    def __init__(self, consumer: Consumer, outbox: Outbox, store: Store) -> None:
        self._outbox = outbox
        self._clock = consumer.clock
        recording = [note_calls] if recorder() is not None else []
        self._innermost_first = tuple(reversed([*consumer.middleware, *recording]))
        self._locking = Locking(consumer, store.locks) if consumer.locks else None

    async def call(
        self,
        handler: Handler,
        todo: Sequence[Received[Any]],
        transaction: Transaction,
        *,
        turn: int | None = None,
    ) -> bool:
        """Call a handler; what has to wait for a lock is stashed, and counts as taken.

        Args:
            handler: The handler.
            todo: Messages that it takes, in their order; exactly one unless it takes them in bulk.
            transaction: What it writes its effect on.
            turn: Where the message is in the stash, if it is taken out of there.

        Returns:
            Whether it was called; not when all of the messages have to wait.
        """
        if self._locking is None:
            await self._call(handler, todo, transaction)
            return True
        admitted = await self._locking.admit(todo, transaction, turn)
        if len(admitted) < len(todo):
            note_stashed(todo, admitted)
        if admitted:
            await self._call(handler, admitted, transaction)
            await self._locking.release(admitted, transaction)
        return bool(admitted)

    async def _call(
        self, handler: Handler, todo: Sequence[Received[Any]], transaction: Transaction
    ) -> None:
        work: Work | BulkWork
        call: CallNext
        if handler.in_bulk:
            work = BulkWork(transaction, self._outbox, self._clock)
            call = partial(handler.function, todo, work)
        else:
            [received] = todo
            work = Work(transaction, self._outbox, received, self._clock)
            call = partial(handler.function, received.message, work)
        for around in self._innermost_first:
            call = partial(around, todo, work, call)
        await call()
