"""What a database in memory holds, and transactions on it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from cdc.kafka_record import KafkaRecord
from cdc.outbox import OutsideTransactionError
from consumers.runtime.failures import Failure
from consumers.runtime.locking.lock import Holder
from consumers.runtime.locking.store import Stashed
from consumers.runtime.store import Place, Reset, SpoiltTransactionError, Transaction
from consumers.testing.comparing import overwrite, require_changeable
from consumers.testing.database import Sent

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Position:
    """How far a consumer has come in a partition."""

    next_offset: int
    applied: int = 0
    duplicates: int = 0
    topic_id: str | None = None
    reset: Reset | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A parked message."""

    parked_id: int
    record: KafkaRecord
    message_id: str | None
    type: str | None
    failure: Failure
    parked_at: float  # in seconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The parked messages of a key, first come, first served."""

    sequence_id: int
    consumer: str
    topic: str
    key: bytes | None
    attempts: int
    due: float | None
    """When its first message is tried again, in seconds since 1970; None when it is a dead letter."""
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A target that is locked."""

    holder: Holder
    since: datetime
    until: datetime


@dataclass(slots=True)
class Contents(Generic[S]):
    """All that the database holds, committed or within a transaction."""

    state: S
    inbox: set[tuple[str, str]] = field(default_factory=set)
    positions: dict[tuple[str, Place], Position] = field(default_factory=dict)
    lines: dict[int, Line] = field(default_factory=dict)
    locks: dict[tuple[str, str, str], Held] = field(default_factory=dict)
    """By consumer, name of the lock and target."""
    stash: dict[int, tuple[str, Stashed]] = field(default_factory=dict)
    """By id, with the consumer of each."""
    sent: list[Sent] = field(default_factory=list)
    delayed: dict[UUID, tuple[datetime, Sent]] = field(default_factory=dict)
    """By id: messages that are kept back, and until when."""
    last_id: int = 0
    spoilt: str = ""
    """What failed in the transaction so that it cannot commit any more, empty when nothing did."""

    def copy(self) -> "Contents[S]":
        return replace(
            self,
            state=deepcopy(self.state),
            inbox=set(self.inbox),
            positions=dict(self.positions),
            lines=dict(self.lines),
            locks=dict(self.locks),
            stash=dict(self.stash),
            sent=list(self.sent),
            delayed=dict(self.delayed),
        )

    def take_back(self, earlier: "Contents[S]") -> None:
        """Become again what an earlier copy is; the state stays the object that handlers hold."""
        overwrite(self.state, earlier.state)
        for each in fields(self):
            if each.name != "state":
                setattr(self, each.name, getattr(earlier, each.name))

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id


class Transactions(Generic[S]):
    """Changes contents in transactions, one after the other, each on a deep copy that is put in place at its end.

    Raises:
        TypeError: the state is of a kind that cannot be changed.
    """

    def __init__(self, state: S, clock: Callable[[], float] = time.time) -> None:
        require_changeable(state)
        self._committed = Contents(state)
        self._open: Contents[S] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._clock = clock
        self._ahead_s = 0.0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[S]:
        async with self._one_at_a_time:
            self._open = working = self._committed.copy()
            try:
                yield working.state
                _require_sound(working)
                self._committed = working
            finally:
                self._open = None

    @asynccontextmanager
    async def savepoint(self, transaction: Transaction) -> AsyncIterator[None]:
        working = self.within(transaction)
        earlier = working.copy()
        try:
            yield
            _require_sound(working)
        except BaseException:
            working.take_back(earlier)
            raise

    def within(self, transaction: Transaction) -> Contents[S]:
        if self._open is None or transaction is not self._open.state:
            raise OutsideTransactionError(
                "something was written outside the transaction that is open: not on what the handler was given, or "
                "after it had returned"
            )
        return self._open

    def now(self) -> float:
        return self._clock() + self._ahead_s

    @property
    def committed(self) -> Contents[S]:
        return self._committed


def _require_sound(contents: Contents[S]) -> None:
    if contents.spoilt:
        raise SpoiltTransactionError(
            f"{contents.spoilt}; a handler went on as if it had not happened"
        )
