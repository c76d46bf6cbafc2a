"""Turns rows into priced lines, exact to the minor unit."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from infra.demo.cells import (
    CellError,
    Cells,
    number_of,
    plain,
    quantity_of,
    quoted,
    reference,
    text_of,
)
from infra.demo.files import Row
from infra.demo.mapping import ONLY_ARTICLE, Columns
from infra.demo.orders import BadRow, Line
from schemas.rest.currencies import MINOR_UNIT_DECIMALS
from schemas.rest.money import MoneyError, in_currency


@dataclass(frozen=True, slots=True)
class PricedRow:
    """A row understood.

    Args:
        line: Its line in the file.
        order: Which order it belongs to, where the file tells.
        customer_id: Who orders.
        currency: ISO 4217 code.
        lines: One, or two when no price in minor units times the quantity gives the amount.
        amount: What it comes to as the file has it.
    """

    line: int
    order: str | None
    customer_id: str
    currency: str
    lines: tuple[Line, ...]
    amount: Decimal


class RowReader:
    """Reads rows of one file.

    Args:
        columns: Meaning of the columns.
        currency: ISO 4217 code of amounts that name none.
    """

    def __init__(self, columns: Columns, *, currency: str) -> None:
        self._of = columns.of
        self._currency = columns.currency or currency

    def read(self, row: Row) -> PricedRow | BadRow:
        """Understand a row, or say everything that is wrong with it."""
        problems: list[str] = []

        def cell(field: str, read: Callable[[Cells, str], Any], default: Any = None) -> Any:
            try:
                return read(row.cells, self._of[field]) if field in self._of else default
            except CellError as error:
                problems.append(str(error))

        order = reference(row.cells, self._of.get("order"))
        customer_id = cell("customer", text_of)
        currency = cell("currency", self._code, self._currency)
        sku = cell("sku", text_of, ONLY_ARTICLE)
        quantity = cell("quantity", quantity_of, 1)
        unit_price = cell("unit_price", number_of)
        amount = cell("amount", number_of)
        if not problems:
            try:
                lines, raw = self._priced(sku, quantity, currency, unit_price, amount)
            except CellError as error:
                problems.append(str(error))
            else:
                return PricedRow(row.line, order, customer_id, currency, lines, raw)
        return BadRow(row.line, row.line, "; ".join(problems), order)

    def _code(self, cells: Cells, column: str) -> str:
        if not plain(cells, column):
            return self._currency
        code = text_of(cells, column).upper()
        if code not in MINOR_UNIT_DECIMALS:
            raise CellError(f"{column} {quoted(code)} is not an active ISO 4217 currency code")
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
    """Return lines that keep quantity and amount exactly.

    When the amount cannot be shared out evenly, some units cost one minor unit more than the others.

    Args:
        sku: Article.
        quantity: Units, at least one.
        amount: Price of all of them, with as many decimals as its currency's minor unit has.
    """
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 - the amount is finite
    price, dearer = divmod(int(amount.scaleb(-exponent)), quantity)
    shares = ((quantity - dearer, price), (dearer, price + 1))
    return tuple(Line(sku, n, Decimal(cost).scaleb(exponent)) for n, cost in shares if n)
