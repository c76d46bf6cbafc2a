"""Due work of several tables: what is in trouble keeps nothing else from its turn."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from cdc.due import DueWork, RetryPolicy, work_on_all, work_once


class Together:
    """Transactions on some tables, which are lost when their number is told."""

    def __init__(self) -> None:
        self.lost: set[int] = set()
        self.begun = 0
        self.tables: list[Rows] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[int]:
        self.begun += 1
        before = [(table, table.due[:], table.done[:], table.noted[:]) for table in self.tables]
        try:
            yield self.begun
        except Exception:
            for table, *rows in before:
                table.due, table.done, table.noted = rows
            raise

    @asynccontextmanager
    async def savepoint(self, transaction: int) -> AsyncIterator[None]:
        yield


class Rows(DueWork[str]):
    """Rows that are done, fail, or break the connection, by what they are called."""

    def __init__(self, transactions: Together, *rows: str, in_order: bool = False) -> None:
        self._transactions = transactions
        transactions.tables.append(self)
        self.in_order = in_order
        self.due = list(rows)
        self.done: list[str] = []
        self.noted: list[str] = []

    async def take(self, transaction: int) -> Sequence[str]:
        return list(self.due)

    async def attempt(self, transaction: int, row: str) -> None:
        if row.startswith("breaks"):
            self._transactions.lost.add(transaction)
        if not row.startswith("well"):
            raise ValueError(row)
        self.due.remove(row)
        self.done.append(row)

    async def failed(self, transaction: int, row: str, error: Exception) -> None:
        if transaction in self._transactions.lost:
            raise ConnectionError("the connection is lost")
        if row.startswith("waits"):
            raise error
        self.due.remove(row)
        self.noted.append(row)


def test_a_failure_that_broke_its_connection_is_noted_on_another() -> None:
    transactions = Together()
    rows = Rows(transactions, "breaks it", "well a", "fails", "breaks it too", "well b")
    asyncio.run(work_on_all([rows], transactions))
    assert sorted(rows.noted) == ["breaks it", "breaks it too", "fails"]
    assert sorted(rows.done) == ["well a", "well b"]


def test_what_comes_before_a_failure_that_broke_its_connection_is_done_again() -> None:
    transactions = Together()
    rows = Rows(transactions, "well a", "well b", "breaks it", "well c", in_order=True)
    assert asyncio.run(work_once(rows, transactions))
    assert (rows.done, rows.noted, rows.due) == (["well a", "well b"], ["breaks it"], ["well c"])


def test_one_that_fails_only_then_is_noted_in_its_place() -> None:
    class Once(Rows):
        async def attempt(self, transaction: int, row: str) -> None:
            if transaction > 1 and row == "well once":
                raise ValueError(row)
            await super().attempt(transaction, row)

    transactions = Together()
    rows = Once(transactions, "well once", "breaks it", in_order=True)
    assert asyncio.run(work_once(rows, transactions))
    assert (rows.noted, rows.due) == (["well once"], ["breaks it"])


def test_a_table_that_cannot_be_read_keeps_no_other_from_its_turn() -> None:
    class Unreadable(Rows):
        async def take(self, transaction: int) -> Sequence[str]:
            raise LookupError("no idea what this row is")

    transactions = Together()
    first, second, third = (kind(transactions, "well") for kind in (Rows, Unreadable, Rows))
    with pytest.raises(LookupError):
        asyncio.run(work_on_all([first, second, third], transactions))
    assert first.done == third.done == ["well"]


def test_a_table_in_trouble_keeps_no_other_from_its_turn() -> None:
    transactions = Together()
    first, second, third = (
        Rows(transactions, *rows) for rows in (["waits"], ["well"], ["waits too", "well"])
    )
    with pytest.raises(ValueError, match="waits"):
        asyncio.run(work_on_all([first, second, third], transactions))
    assert second.done == ["well"]
    assert first.due == ["waits"]


@pytest.mark.parametrize(("first_pause_s", "pause_s"), [(1.0, 3600.0), (0.0, 0.0)])
def test_a_pause_has_an_end_however_many_attempts_have_failed(
    first_pause_s: float, pause_s: float
) -> None:
    policy = RetryPolicy(attempts=1000, first_pause_s=first_pause_s)
    assert policy.pause_s(999, lambda: 1.0) == pause_s


@pytest.mark.parametrize("name", ["first_pause_s", "longest_pause_s", "patience_s"])
def test_no_pause_is_negative(name: str) -> None:
    with pytest.raises(ValueError, match="pauses that are not negative"):
        RetryPolicy(**{name: -1})
