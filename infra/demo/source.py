"""A file as a source of orders."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from infra.demo.files import Row, Table, open_table
from infra.demo.grouping import orders
from infra.demo.mapping import explain, resolve
from infra.demo.orders import BadRow, DemoError, NewOrder
from infra.demo.rows import PricedRow, RowReader

MAX_SHAPES = 100


class FileOrders:
    """The orders of an open file; build it with `open_orders`.

    Args:
        path: The file.
        table: Its content.
        overrides: Column by field, as the user says.
        currency: ISO 4217 code of amounts that name none.
    """

    def __init__(
        self, path: Path, table: Table, *, overrides: Mapping[str, str], currency: str
    ) -> None:
        self.name = path.name
        self.total = table.total
        columns = resolve(table.columns, overrides)
        self.explanation: Sequence[str] = [
            f"{path.name}: {table.format}",
            *explain(columns, currency=currency),
        ]
        self._rows = _some(path, table)
        self._headed = table.headed
        self._overrides = overrides
        self._currency = currency
        self._reader = RowReader(columns, currency=currency)
        self._shapes: dict[tuple[str, ...], RowReader] = {}

    def __iter__(self) -> Iterator[NewOrder | BadRow]:
        """Yield them once, reading the file along the way.

        Raises:
            DemoError: the file breaks off in a way that no later row can be told.
        """
        return orders(self._read(row) for row in self._rows)

    def _read(self, row: Row | BadRow) -> PricedRow | BadRow:
        if isinstance(row, BadRow):
            return row
        try:
            return self._reader_of(row.cells).read(row)
        except DemoError as error:
            return BadRow(row.line, row.line, str(error))

    def _reader_of(self, cells: Mapping[str, Any]) -> RowReader:
        """Return the reader for a row: JSON objects may have other members than the first one had."""
        if self._headed:
            return self._reader
        shape = tuple(cells)
        if shape not in self._shapes:
            if len(self._shapes) == MAX_SHAPES:
                self._shapes.clear()
            columns = resolve(
                shape, {f: c for f, c in self._overrides.items() if not c or c in cells}
            )
            self._shapes[shape] = RowReader(columns, currency=self._currency)
        return self._shapes[shape]


def _some(path: Path, table: Table) -> Iterator[Row | BadRow]:
    first = next(table.rows, None)
    if first is None:
        raise DemoError(f"{path} has column names but no rows.")
    return chain([first], table.rows)


@contextmanager
def open_orders(path: Path, *, overrides: Mapping[str, str], currency: str) -> Iterator[FileOrders]:
    """Open a file of orders and close it at the end.

    Args:
        path: CSV or JSON lines.
        overrides: Column by field, where the headings do not speak for themselves.
        currency: ISO 4217 code of amounts that name none.

    Raises:
        MappingError: an override does not fit the file.
        DemoError: the file cannot be read or has no usable columns.
    """
    with open_table(path) as table:
        yield FileOrders(path, table, overrides=overrides, currency=currency)
