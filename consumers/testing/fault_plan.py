"""A store that breaks where it is told to, around the one that keeps things."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal, cast

from consumers.runtime.delivery import Delivery
from consumers.runtime.failures import Failure
from consumers.runtime.store import (
    BatchClaim,
    ClaimResult,
    Parking,
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


def breaking(store: Store, breaks: FaultPlan, rng: random.Random) -> Store:
    """Return a store that passes everything on, and breaks in between.

    Pauses before another attempt are taken from the chance given, so that a passage can be repeated.
    """
    return cast(Store, _BreakingStore(store, breaks, rng))


class _BreakingStore:
    def __init__(self, store: Store, breaks: FaultPlan, rng: random.Random) -> None:
        self._store = store
        self._breaks = breaks
        self._rng = rng

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._store.transaction() as transaction:
            yield transaction
            self._breaks.at("before_commit")
        self._breaks.at("after_commit")

    async def take(
        self, transaction: Transaction, claims: Sequence[BatchClaim]
    ) -> list[ClaimResult]:
        self._breaks.at("take")
        return await self._store.take(transaction, claims)

    async def park(self, transaction: Transaction, parkings: Sequence[Parking]) -> None:
        steady = [replace(each, pause_s=self._pause_s(each.pause_s)) for each in parkings]
        await self._store.park(transaction, steady)

    async def postpone(
        self, transaction: Transaction, sequence_id: int, failure: Failure, pause_s: float | None
    ) -> None:
        await self._store.postpone(transaction, sequence_id, failure, self._pause_s(pause_s))

    def _pause_s(self, pause_s: float | None) -> float | None:
        return None if pause_s is None else self._rng.uniform(0.0, 1.0)
