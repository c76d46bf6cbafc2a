"""A store that breaks where it is told to, around the one that keeps things."""

import random
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Literal

from consumers.runtime.delivery import Delivery
from consumers.runtime.failures import Failure
from consumers.runtime.locking.store import LockStore
from consumers.runtime.store import (
    BatchClaim,
    ClaimResult,
    ParkedSequence,
    Parking,
    Place,
    Store,
    Transaction,
)

Point = Literal["take", "handler", "before_commit", "after_commit"]
"""Where something breaks: taking ids; a handler that has written its effect; before the commit; after it."""


class ProcessDied(BaseException):
    """The process is gone. Nothing of it goes on, not even what handles errors; only what was committed stays."""


class FaultPlan:
    """Decides when something breaks: at the first occasion, then by chance, and a few times at most."""

    def __init__(
        self,
        rng: random.Random,
        errors: Mapping[Point, Sequence[Callable[[], BaseException]]] | None = None,
        most: int = 3,
    ) -> None:
        self._rng = rng
        self._errors = errors or {}
        self._left = dict.fromkeys(self._errors, most)
        self.happened = 0

    def at(self, point: Point) -> None:
        """Raise what breaks at a point, if something does this time."""
        if not self._left.get(point) or (self.happened and self._rng.random() < 0.5):
            return
        self._left[point] -= 1
        self.happened += 1
        error = self._rng.choice(self._errors[point])()
        raise error

    def handled(self, delivery: Delivery) -> None:
        """Raise what breaks when a handler has written the effect of a message, if something does this time."""
        self.at("handler")


class BreakingStore:
    """Passes everything on to a store, and breaks in between.

    Pauses before another attempt are taken from the chance given, so that a passage can be repeated.
    """

    def __init__(self, store: Store, breaks: FaultPlan, rng: random.Random) -> None:
        self._store = store
        self._breaks = breaks
        self._rng = rng

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._store.transaction() as transaction:
            yield transaction
            self._breaks.at("before_commit")
        self._breaks.at("after_commit")

    @property
    def locks(self) -> LockStore:
        return self._store.locks

    def savepoint(self, transaction: Transaction) -> AbstractAsyncContextManager[None]:
        return self._store.savepoint(transaction)

    async def position(self, place: Place) -> int | None:
        return await self._store.position(place)

    async def begin(self, place: Place, offset: int, topic_id: str | None = None) -> int:
        return await self._store.begin(place, offset, topic_id)

    async def move(self, place: Place, base: int, offset: int) -> None:
        await self._store.move(place, base, offset)

    async def take(
        self, transaction: Transaction, claims: Sequence[BatchClaim]
    ) -> list[ClaimResult]:
        self._breaks.at("take")
        return await self._store.take(transaction, claims)

    async def parked_keys(
        self, transaction: Transaction, topic: str, keys: Collection[bytes]
    ) -> set[bytes]:
        return await self._store.parked_keys(transaction, topic, keys)

    async def park(self, transaction: Transaction, parkings: Sequence[Parking]) -> None:
        steady = [replace(each, pause_s=self._pause_s(each.pause_s)) for each in parkings]
        await self._store.park(transaction, steady)

    async def take_due(self, transaction: Transaction, limit: int) -> ParkedSequence | None:
        return await self._store.take_due(transaction, limit)

    async def unpark(self, transaction: Transaction, sequence_id: int, parked_id: int) -> None:
        await self._store.unpark(transaction, sequence_id, parked_id)

    async def postpone(
        self, transaction: Transaction, sequence_id: int, failure: Failure, pause_s: float | None
    ) -> None:
        await self._store.postpone(transaction, sequence_id, failure, self._pause_s(pause_s))

    def _pause_s(self, pause_s: float | None) -> float | None:
        return None if pause_s is None else self._rng.uniform(0.0, 1.0)
