"""A file as a source of orders."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path

from cdc.text import quoted
from infra.demo.files import Row, Table, open_table
from infra.demo.grouping import orders
from infra.demo.mapping import explain, resolve
from infra.demo.orders import BadRow, DemoError, NewOrder, Source
from infra.demo.rows import PricedRow, RowReader
from schemas.money.amounts import MAX_LINES


class FileOrders:
    """The orders of an open file; build it with `open_orders`."""

    def __init__(
        self, path: Path, table: Table, *, overrides: Mapping[str, str], currency: str | None
    ) -> None:
        self.name = path.name
        columns = resolve(table.columns, overrides, currency)
        self.explanation: Sequence[str] = [f"{path.name}: {table.format}", *explain(columns)]
        self._table = table
        self._reader = RowReader(columns)
        # The file is read once before the first order is sent: later would be too late to find out.
        self._count, self._broken = _survey(table, self._reader)
        self.total: int | None = self._count
        if not self._count:
            raise DemoError(f"{path} has column names but no rows.")

    def __iter__(self) -> Iterator[NewOrder | BadRow]:
        # Rows that were written behind those surveyed could belong to orders that were sent already.
        return orders(self._read(row) for row in islice(self._table.rows(), self._count))

    def _read(self, row: Row | BadRow) -> PricedRow | BadRow:
        read = row if isinstance(row, BadRow) else self._reader.read(row)
        if isinstance(read, PricedRow) and read.order and (why := self._broken.get(read.order)):
            reason = f"not sent: order {quoted(read.order)} {why}"
            return BadRow(read.line, read.line, reason, read.order)
        return read


class InForm:
    """The orders of another source, in one form of fulfilment."""

    def __init__(self, source: Source, form: str) -> None:
        self.name = source.name
        self.explanation = source.explanation
        self.total = source.total
        self._source = source
        self._form = form

    def __iter__(self) -> Iterator[NewOrder | BadRow]:
        for item in self._source:
            yield replace(item, fulfilment=self._form) if isinstance(item, NewOrder) else item


def _survey(table: Table, reader: RowReader) -> tuple[int, Mapping[str, str]]:
    """Count the rows, and find the orders that may not be whole or come twice: order -> what is wrong with it."""
    broken: dict[str, str] = {}
    seen: set[str | None] = set()
    before: str | None = None
    count = 0
    for (order, _), rows in groupby(table.rows(), key=reader.place):
        number = sum(1 for _ in rows)
        if reader.has_orders and count and None in {before, order}:
            broken[order or before or ""] = "stands beside a row that does not say whose it is"
        if order and order in seen:
            broken[order] = "is in several places of the file: put its rows together"
        elif order and number > MAX_LINES:
            broken[order] = f"has more than {MAX_LINES} rows"
        seen.add(order)
        before = order
        count += number
    return count, broken


@contextmanager
def open_orders(
    path: Path, *, overrides: Mapping[str, str], currency: str | None = None
) -> Iterator[FileOrders]:
    with open_table(path) as table:
        yield FileOrders(path, table, overrides=overrides, currency=currency)
