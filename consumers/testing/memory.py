"""A database in memory: a value of the user's own, changed in transactions, and beside it what the runtime keeps.

Transactions follow one another here; those of Postgres run beside each other, so that locks and conflicts show there.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TypeVar
from uuid import UUID

from cdc.work import TransactionScope
from consumers.runtime.consumer import Consumer
from consumers.runtime.store import Store
from consumers.runtime.window import InboxWindow
from consumers.testing.database import Observed, Parked, Sent, text_of_key
from consumers.testing.memory_outbox import MemoryOutbox
from consumers.testing.memory_state import Contents, Line, Row, Transactions
from consumers.testing.memory_store import MemoryStore
from consumers.testing.schemas import local_codec
from schemas.message import Message

S = TypeVar("S")


class MemoryDatabase(Transactions[S]):
    """A database that holds one value, which takes the place of a connection in the handlers' units of work.

    A transaction works on a deep copy of the value and puts it in place when it commits.

    Args:
        state: The value in the beginning: a dict, a list, a set, or an object with attributes.
        clock: Tells the time by which parked messages fall due, in seconds since 1970.

    Raises:
        TypeError: the value is of a kind that cannot be changed.
    """

    def __init__(self, state: S, clock: Callable[[], float] = time.time) -> None:
        super().__init__(state, clock)
        self._initial = deepcopy(state)
        self._ahead_of_delayed = timedelta()

    async def reset(self) -> None:
        self._committed = Contents(deepcopy(self._initial))

    async def open(self, consumer: Consumer) -> tuple[Store, InboxWindow]:
        """Return the store of a consumer, and which ids its inbox can keep: all."""
        return MemoryStore(consumer.name, self), InboxWindow()

    def outbox(self, messages: Iterable[type[Message]] | None = None) -> MemoryOutbox:
        return MemoryOutbox(self, None if messages is None else local_codec(messages))

    def value(self, work: TransactionScope) -> S:
        """Return the value that a handler may change in its transaction, for handlers that are given a repository.

        Raises:
            OutsideTransactionError: the transaction is none of this database, or has ended.
        """
        return self.within(work.connection).state

    async def pass_time(self, seconds: float, *, of_delayed: bool = False) -> None:
        self._ahead_s += seconds
        if not of_delayed:
            return
        self._ahead_of_delayed += timedelta(seconds=seconds)
        now = datetime.fromtimestamp(self._clock(), UTC) + self._ahead_of_delayed
        async with self.transaction() as transaction:
            contents = self.within(transaction)
            for not_before, each in _in_time(contents.delayed):
                if not_before <= now:
                    del contents.delayed[each.message_id]
                    contents.sent.append(each)

    async def state(self) -> S:
        return self._committed.state

    async def look(self, consumer: str) -> Observed:
        contents = self._committed
        progress = [at for (name, _), at in contents.positions.items() if name == consumer]
        return Observed(
            sent=list(contents.sent),
            delayed=[
                replace(each, not_before=not_before)
                for not_before, each in _in_time(contents.delayed)
            ],
            parked=[
                _parked(line, row)
                for line in contents.lines.values()
                for row in line.rows
                if line.consumer == consumer
            ],
            applied=sum(at.applied for at in progress),
            duplicates=sum(at.duplicates for at in progress),
        )


def _in_time(delayed: Mapping[UUID, tuple[datetime, Sent]]) -> list[tuple[datetime, Sent]]:
    return sorted(delayed.values(), key=itemgetter(0))


def _parked(line: Line, row: Row) -> Parked:
    failure = row.failure
    return Parked(
        topic=row.record.topic,
        partition=row.record.partition,
        offset=row.record.offset,
        key=text_of_key(line.key),
        message_id=row.message_id,
        type=row.type,
        reason=failure.reason,
        error=f"{failure.error_class}: {failure.error_text}" if failure.error_class else "",
        traceback=failure.traceback,
        attempts=line.attempts,
        is_dead=line.due is None,
    )
