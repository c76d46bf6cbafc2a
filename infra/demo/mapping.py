"""Finds out which column of a file means what."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.demo.orders import DemoError
from schemas.rest.currencies import MINOR_UNIT_DECIMALS

SYNONYMS = {
    "customer": "customer customerid customerno customernumber client clientid buyer buyerid user userid",
    "order": "order orderid orderref orderno ordernumber invoice invoiceid invoiceno",
    "sku": "sku item itemid product productid productcode article articleid articleno stockcode",
    "quantity": "quantity qty units pieces",
    "unit_price": "unitprice price itemprice priceperunit",
    "amount": "amount total linetotal lineamount",
    "currency": "currency currencycode ccy",
}
"""Headings that need no `--map`, best first, without case and punctuation."""

MONEY = ("unit_price", "amount")
ONLY_ARTICLE = "item"
"""Article of all lines when the file names none."""

_CURRENCY_AT_END = re.compile(r"(?:[^A-Za-z]+([A-Za-z]{3})|(?<=[a-z])([A-Z]{3}))[^A-Za-z]*$")


class MappingError(DemoError):
    """What `--map` says does not fit the file."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The meaning of a file's columns.

    Args:
        of: Column by field; a field that the file lacks is absent.
        currency: ISO 4217 code that the heading of a money column names, if one does.
        unused: Columns that mean nothing here.
    """

    of: Mapping[str, str]
    currency: str | None
    unused: tuple[str, ...]


def resolve(columns: Sequence[str], overrides: Mapping[str, str]) -> Columns:
    """Find the column of each field.

    Args:
        columns: Headings.
        overrides: Column by field, as the user says; an empty one: the field has no column.

    Raises:
        MappingError: an override names a column that is not there.
        DemoError: nothing says who ordered or what it cost.
    """
    for field, column in overrides.items():
        if column and column not in columns:
            raise MappingError(
                f"--map {field}={column} names no column; there are {_listed(columns)}."
            )
    taken = set(overrides.values())
    free = [column for column in columns if column not in taken]
    found = {field: overrides.get(field, _find(field, free)) for field in SYNONYMS}
    of = {field: column for field, column in found.items() if column}
    _require(of, columns)
    unused = tuple(column for column in columns if column not in of.values())
    return Columns(of, _currency(of), unused)


def explain(columns: Columns, *, currency: str) -> list[str]:
    """Say in lines how the columns are understood.

    Args:
        columns: Their meaning.
        currency: ISO 4217 code of amounts that name none.
    """
    said = [f"{field:<10} from {column}" for field, column in columns.of.items()]
    if "sku" not in columns.of:
        said.append(f'{"sku":<10} no column: every line is "{ONLY_ARTICLE}"')
    if "quantity" not in columns.of:
        said.append(f"{'quantity':<10} no column: always 1")
    if "order" not in columns.of:
        said.append(f"{'order':<10} no column: every row is an order of its own")
    if "currency" not in columns.of:
        named = "named by the heading" if columns.currency else "no column: the default"
        said.append(f"{'currency':<10} {columns.currency or currency}, {named}")
    if columns.unused:
        said.append(f"{'not used':<10} {', '.join(columns.unused)}")
    return said


def _find(field: str, columns: Iterable[str]) -> str | None:
    plain = {_plain(column, money=field in MONEY): column for column in reversed(list(columns))}
    return next((plain[name] for name in SYNONYMS[field].split() if name in plain), None)


def _plain(column: str, *, money: bool) -> str:
    """Return a heading without case and punctuation, and one of money without its currency."""
    if money and _currency_in(column):
        column = _CURRENCY_AT_END.sub("", column)
    return re.sub(r"[^a-z0-9]", "", column.lower())


def _currency(of: Mapping[str, str]) -> str | None:
    named = {_currency_in(of[field]) for field in MONEY if field in of} - {None}
    if len(named) > 1:
        raise DemoError(
            f"Columns {_listed([of[field] for field in MONEY])} name different currencies."
        )
    return named.pop() if named else None


def _currency_in(column: str) -> str | None:
    match = _CURRENCY_AT_END.search(column)
    code = (match[1] or match[2]).upper() if match else None
    return code if code in MINOR_UNIT_DECIMALS else None


def _require(of: Mapping[str, str], columns: Sequence[str]) -> None:
    missing = []
    if "customer" not in of:
        missing.append("a customer")
    if not any(field in of for field in MONEY):
        missing.append("a unit_price or an amount")
    if missing:
        raise DemoError(
            f"No column is {' and none is '.join(missing)}; there are {_listed(columns)}. "
            "Name it with --map FIELD=COLUMN."
        )


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(columns) or "none"
