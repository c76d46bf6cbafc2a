"""Due work: rows of a table that are worked on when their time has come, by whichever process looks first.

Whoever takes rows locks them until the end of his transaction, and passes over those that somebody else has locked. A
row that fails takes no other with it: it is put off by the pauses of a policy, and given up after its last attempt.
"""

import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from cdc.database import Connection, Pool

LOOK_EVERY_S = 0.5
"""How often to look whether something is due."""
LONGEST_S = 10.0
"""How long a transaction goes on to another row: while it lasts, who adds to what it has locked has to wait."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, and when, what has failed is tried again.

    The pauses grow exponentially; half of each is left to chance, so that what failed together is not retried together
    ("equal jitter" of the AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).

    Args:
        attempts: Attempts in all, the first one included; after the last it is given up: of a message, it is a dead
            letter.
        first_pause_s: Longest pause before the second attempt, in seconds.
        factor: By how much each pause is longer than the one before.
        longest_pause_s: Longest pause of all, in seconds.
        patience_s: How long a partition waits for a party outside the database that cannot be reached, in seconds;
            then the message that needs it is parked like one that fails for another reason.
    """

    attempts: int = 6
    first_pause_s: float = 1.0
    factor: float = 5.0
    longest_pause_s: float = 3600.0
    patience_s: float = 30.0

    def __post_init__(self) -> None:
        shortest_s = min(self.first_pause_s, self.longest_pause_s, self.patience_s)
        if self.attempts < 1 or self.factor < 1 or shortest_s < 0:
            raise ValueError(
                "a retry policy needs at least one attempt, pauses that are not negative, and a factor of at least 1"
            )

    def pause_s(self, attempts: int, chance: Callable[[], float] = random.random) -> float | None:
        """Return how long to wait after a number of failed attempts, in seconds; None when there is no other.

        Args:
            attempts: Attempts that have failed, at least one.
            chance: Returns a number from 0 to 1.
        """
        if attempts >= self.attempts:
            return None
        try:
            longest_s = min(
                self.longest_pause_s, self.first_pause_s * self.factor ** (attempts - 1)
            )
        except OverflowError:
            longest_s = self.longest_pause_s if self.first_pause_s else 0.0
        return longest_s * (0.5 + 0.5 * chance())


class Transactions(Protocol):
    """Where due work is kept."""

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """Open a transaction that commits when the block ends, and rolls back when it raises."""

    def savepoint(self, transaction: Any) -> AbstractAsyncContextManager[None]:
        """Undo what the block wrote when it raises, and nothing else of the transaction."""


class PoolTransactions:
    """Transactions on connections of a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction that commits when the block ends, and rolls back when it raises."""
        async with self._pool.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def savepoint(self, transaction: Connection) -> AsyncIterator[None]:
        """Undo what the block wrote when it raises, and nothing else of the transaction."""
        async with transaction.transaction():
            yield


class DueWork(Protocol[T]):
    """Rows of one table, and what is to be done about each.

    Attributes:
        in_order: Whether rows that are taken together wait for each other: those behind one that fails stay.
    """

    in_order: bool = False

    async def take(self, transaction: Any) -> Sequence[T]:
        """Return rows whose time has come, locked against others until the end; none when there are none.

        A row that is taken again is equal to what it was, unless somebody has changed it.
        """

    async def attempt(self, transaction: Any, row: T) -> None:
        """Do what is to be done, and remove the row. What is written is undone when this raises."""

    async def failed(self, transaction: Any, row: T, error: Exception) -> None:
        """Put a row off, or give it up and say so; raise what is not the row's fault, which ends the transaction."""
        raise error


async def work_once(work: DueWork[T], transactions: Transactions) -> bool:
    """Work on what is due in one transaction, as far as that takes no longer than `LONGEST_S`.

    Returns:
        Whether anything was due.

    Raises:
        Exception: what `failed` lets through; nothing has changed.
    """
    failures: list[tuple[T, Exception]] = []
    while True:
        known = len(failures)
        try:
            return await _work(work, transactions, failures)
        except Exception as raised:
            if len(failures) == known or raised is failures[-1][1]:
                raise
            # what has failed took the connection with it, on which that was to be noted: it is noted on another


async def _work(
    work: DueWork[T], transactions: Transactions, failures: list[tuple[T, Exception]]
) -> bool:
    """Work in one transaction, but not on rows of which it is known that they fail; add others that do."""
    async with transactions.transaction() as transaction:
        rows = await work.take(transaction)
        deadline = time.monotonic() + LONGEST_S
        for row in rows:
            error = next((error for failed, error in failures if failed == row), None)
            if error is None:
                try:
                    async with transactions.savepoint(transaction):
                        await work.attempt(transaction, row)
                except Exception as raised:  # noqa: BLE001 - whatever it is, it is the row's, or `failed` raises it
                    error = raised
                    failures.append((row, error))
            if error is not None:
                await work.failed(transaction, row, error)
                if work.in_order:
                    break
            if time.monotonic() > deadline:
                break
    return bool(rows)


async def work_on_all(works: Sequence[DueWork[Any]], transactions: Transactions) -> None:
    """Work on all that is due; where nothing is, one transaction has told so of all tables.

    Raises:
        Exception: what `take` or `failed` of one of them raises, when the others have been worked on.
    """
    due = works
    # raised again below, by whose `take` it is, and by none of the others
    with suppress(Exception):
        async with transactions.transaction() as transaction:
            due = [work for work in works if await work.take(transaction)]
    raised: list[Exception] = []
    for work in due:
        try:
            while await work_once(work, transactions):
                pass
        except Exception as error:  # noqa: BLE001 - raised below
            raised.append(error)
    if raised:
        raise raised[0]
