"""Calls handlers, each with a unit of work, and through the consumer's middleware."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from cdc.outbox import Outbox
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import Handler
from consumers.runtime.middleware import CallNext
from consumers.runtime.received import Received
from consumers.runtime.store import Transaction
from consumers.runtime.work import BulkWork, Work


class Dispatcher:
    """Calls the handlers of a consumer.

    Args:
        consumer: Whose handlers they are.
        outbox: Where they send.
    """

    def __init__(self, consumer: Consumer, outbox: Outbox) -> None:
        self._outbox = outbox
        self._clock = consumer.clock
        self._innermost_first = tuple(reversed(consumer.middleware))

    async def call(
        self, handler: Handler, todo: Sequence[Received[Any]], transaction: Transaction
    ) -> None:
        """Call a handler.

        Args:
            handler: The handler.
            todo: Messages that it takes, in their order; exactly one unless it takes them in bulk.
            transaction: What it writes its effect on.
        """
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
