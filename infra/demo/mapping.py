"""Finds out which column of a file means what. Headings that could mean two things are refused."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cdc.text import quoted
from infra.demo.orders import DemoError
from schemas.money.currencies import MINOR_UNIT_DECIMALS

SYNONYMS = {
    "customer": "customer customerid customerno customernumber client clientid buyer buyerid user userid",
    "order": "order orderid orderref orderno ordernumber invoice invoiceid invoiceno",
    "sku": "sku item itemid product productid productcode article articleid articleno stockcode",
    "quantity": "quantity qty units pieces",
    "unit_price": "unitprice price itemprice priceperunit",
    "amount": "amount total linetotal lineamount",
    "currency": "currency currencycode ccy",
}
"""Headings that need no `--map`, without case and punctuation."""

MONEY = ("unit_price", "amount")
ONLY_ARTICLE = "item"  # article of all lines when the file names none
DEFAULT_CURRENCY = "USD"

NAMEABLE_CURRENCIES = frozenset(
    "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS INR JPY KRW KWD MXN NOK NZD PLN SEK SGD THB TWD USD ZAR".split()
)
"""Those that a heading such as `amount_usd` names by itself. Others are words as well: ALL, CUP, PEN, TOP, TRY."""

_LAST_WORD = re.compile(r"(?:[\s_(-]+|(?<=[a-z])(?=[A-Z]))([A-Za-z]{3})\)?$")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class MappingError(DemoError):
    """What the options say does not fit the file."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The meaning of a file's columns: column by field, and what means nothing here.

    `heading` is the currency that headings of money name, `currency` that of amounts beside which none stands; None
    when such amounts are refused.
    """

    of: Mapping[str, str]
    heading: str | None
    currency: str | None
    unused: tuple[str, ...]


def resolve(
    columns: Sequence[str], overrides: Mapping[str, str], currency: str | None = None
) -> Columns:
    """Find the column of each field; what the user says goes before what headings say."""
    columns = [column for column in columns if column]
    _require_columns(columns, overrides)
    of = {field: column for field, column in overrides.items() if column}
    for column in columns:
        field = meaning(column)
        if field and field not in overrides and column not in overrides.values():
            if field in of:
                raise DemoError(
                    f"{quoted(of[field])} and {quoted(column)} may both be the {field}: "
                    f"say which one is with --map {field}=COLUMN."
                )
            of[field] = column
    of = {field: of[field] for field in SYNONYMS if field in of}
    _require(of, columns, overrides)
    heading = _heading_currency([of[field] for field in MONEY if field in of], currency)
    if heading is None and "currency" not in of:
        currency = currency or _default(of)
    unused = tuple(column for column in columns if column not in of.values())
    return Columns(of, heading, currency or heading, unused)


def meaning(column: str) -> str | None:
    """Return the field that a heading names by itself, None if it names none."""
    match = _LAST_WORD.search(column)
    money = match is not None and match[1].upper() in NAMEABLE_CURRENCIES
    plain = _plain(column[: match.start()] if match and money else column)
    fields = MONEY if money else SYNONYMS
    return next((field for field in fields if plain in SYNONYMS[field].split()), None)


def explain(columns: Columns) -> list[str]:
    said = [f"{field:<10} from {column}" for field, column in columns.of.items()]
    if "sku" not in columns.of:
        said.append(f'{"sku":<10} no column: every line is "{ONLY_ARTICLE}"')
    if "quantity" not in columns.of:
        said.append(f"{'quantity':<10} no column: always 1")
    if "order" not in columns.of:
        said.append(f"{'order':<10} no column: every row is an order of its own")
    if "currency" not in columns.of:
        named = "named by the heading" if columns.heading else "of all amounts: no column names one"
        said.append(f"{'currency':<10} {columns.currency}, {named}")
    if columns.unused:
        said.append(f"{'not used':<10} {', '.join(columns.unused)}")
    return said


def _require_columns(columns: Sequence[str], overrides: Mapping[str, str]) -> None:
    named = [column for column in overrides.values() if column]
    for field, column in overrides.items():
        if column and column not in columns:
            raise MappingError(
                f"--map {field}={column} names no column; there are {_listed(columns)}."
            )
        if named.count(column) > 1:
            raise MappingError(f"--map gives column {column} two meanings.")


def _require(of: Mapping[str, str], columns: Sequence[str], overrides: Mapping[str, str]) -> None:
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
    total = of.get("amount", "")
    checked = "order" not in of or "unit_price" in of or "amount" in overrides
    if not checked and _plain(total).startswith("total"):
        raise DemoError(
            f"{quoted(total)} may be the total of a line or of its whole order: "
            f'say --map "amount={total}" if it is that of the line.'
        )


def _heading_currency(money: Sequence[str], currency: str | None) -> str | None:
    found = (_LAST_WORD.search(column) for column in money)
    named = {match[1].upper() for match in found if match} & NAMEABLE_CURRENCIES
    if len(named) > 1:
        raise DemoError(f"Columns {_listed(money)} name different currencies.")
    if currency and named - {currency}:
        raise MappingError(f"--currency {currency} is not what column {_listed(money)} says.")
    return named.pop() if named else None


def _default(of: Mapping[str, str]) -> str:
    for column in (of[field] for field in MONEY if field in of):
        codes = [word for word in _WORDS.findall(column) if word.upper() in MINOR_UNIT_DECIMALS]
        codes += [each for each in column if unicodedata.category(each) == "Sc"]
        if codes:
            raise DemoError(
                f"Column {quoted(column)} may name a currency, {codes[0]}: say which is meant with --currency."
            )
    return DEFAULT_CURRENCY


def _plain(heading: str) -> str:
    """Return a heading without case and punctuation; a sign of money or percent stays, for it has a meaning."""
    return "".join(
        each
        for each in heading.casefold()
        if each.isalnum() or each == "%" or unicodedata.category(each) == "Sc"
    )


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(columns) or "none"
