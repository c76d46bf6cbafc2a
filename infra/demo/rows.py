"""Turns rows into priced lines, exact to the minor unit."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from cdc.text import quoted
from infra.demo.cells import CellError, Cells, name_of, number_of, plain, quantity_of, text_of
from infra.demo.files import LINES, Row
from infra.demo.mapping import ONLY_ARTICLE, SYNONYMS, Columns, meaning
from infra.demo.orders import BadRow, Line
from schemas.money.amounts import MoneyError, in_currency
from schemas.money.currencies import MINOR_UNIT_DECIMALS

OF_LINES = frozenset({"sku", "quantity", "unit_price", "amount"})
"""Fields that each line of an order has for itself."""


@dataclass(frozen=True, slots=True)
class PricedRow:
    """A row understood."""

    line: int
    order: str | None  # which order it belongs to, where the file tells
    customer_id: str
    currency: str
    # one, or two when no price in minor units times the quantity gives the amount
    lines: tuple[Line, ...]
    amount: Decimal


class RowReader:
    """Reads rows of one file."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._of = columns.of
        self._known = {*columns.of.values(), *columns.unused}

    @property
    def has_orders(self) -> bool:
        return "order" in self._of

    def place(self, row: Row | BadRow) -> tuple[str | None, int]:
        """Return the order of a row, None when it does not tell, and the row's line if that is a whole order."""
        if isinstance(row, BadRow):
            return None, 0
        try:
            order = name_of(row.cells, self._of["order"])
        except (KeyError, CellError):
            order = None
        return order, row.line if row.shared is not None else 0

    def read(self, row: Row) -> PricedRow | BadRow:
        """Understand a row, or say everything that is wrong with it."""
        problems = self._misplaced(row)

        def cell(field: str, read: Callable[[Cells, str], Any], default: Any = None) -> Any:
            try:
                return read(row.cells, self._of[field]) if field in self._of else default
            except CellError as error:
                problems.append(str(error))

        order = cell("order", name_of)
        customer_id = cell("customer", name_of)
        currency = cell("currency", self._code, self._columns.currency)
        number = partial(number_of, decimals=MINOR_UNIT_DECIMALS.get(currency, 2))
        sku = cell("sku", name_of, ONLY_ARTICLE)
        quantity = cell("quantity", quantity_of, 1)
        unit_price = cell("unit_price", number)
        amount = cell("amount", number)
        if not problems:
            try:
                lines, raw = self._priced(sku, quantity, currency, unit_price, amount)
            except CellError as error:
                problems.append(str(error))
            else:
                return PricedRow(row.line, order, customer_id, currency, lines, raw)
        return BadRow(row.line, row.line, "; ".join(problems), order)

    def _misplaced(self, row: Row) -> list[str]:
        problems = [
            f"has {quoted(column)}, which the first object has not"
            for column in row.cells
            if column not in self._known and meaning(column)
        ]
        if row.shared is not None:
            problems += [
                f"{column} stands beside {LINES}, each of which needs its own"
                for field in SYNONYMS
                if field in OF_LINES and (column := self._of.get(field)) in row.shared
            ]
        return problems

    def _code(self, cells: Cells, column: str) -> str:
        default = self._columns.currency
        if default and not plain(cells, column):
            return default
        code = text_of(cells, column).upper()
        if code not in MINOR_UNIT_DECIMALS:
            raise CellError(f"{column} {quoted(code)} is not an active ISO 4217 currency code")
        if self._columns.heading not in {None, code}:
            raise CellError(
                f"{column} {quoted(code)} is not {self._columns.heading}, as a heading says"
            )
        return code

    def _priced(
        self,
        sku: str,
        quantity: int,
        currency: str,
        unit_price: Decimal | None,
        amount: Decimal | None,
    ) -> tuple[tuple[Line, ...], Decimal]:
        if unit_price is not None:
            line = Line(sku, quantity, self._exact("unit_price", unit_price, currency))
            self._agree(line, unit_price, amount)
            return (line,), line.total
        exact = self._exact("amount", amount or Decimal(0), currency)
        return split(sku, quantity, exact), exact

    def _agree(self, line: Line, unit_price: Decimal, amount: Decimal | None) -> None:
        if amount is not None and amount != line.total:
            raise CellError(
                f"{self._of['amount']} {amount} is not {line.quantity} times "
                f"{self._of['unit_price']} {unit_price}, which is {line.total}"
            )

    def _exact(self, field: str, value: Decimal, currency: str) -> Decimal:
        try:
            return in_currency(value, currency)
        except MoneyError as error:
            raise CellError(f"{self._of[field]} {quoted(str(value))} {error}") from error


def split(sku: str, quantity: int, amount: Decimal) -> tuple[Line, ...]:
    """Return lines that keep quantity and amount exactly; the amount has the decimals of its currency.

    When it cannot be shared out evenly, some units cost one minor unit more than the others.
    """
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 - the amount is finite
    price, dearer = divmod(int(amount.scaleb(-exponent)), quantity)
    shares = ((quantity - dearer, price), (dearer, price + 1))
    return tuple(Line(sku, n, Decimal(cost).scaleb(exponent)) for n, cost in shares if n)
