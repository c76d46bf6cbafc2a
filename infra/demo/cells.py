"""Reads single cells of a row: names, whole numbers, amounts. What can be read in two ways is refused."""

import re
from decimal import Decimal
from typing import Any

from cdc.text import quoted
from schemas.money.amounts import MAX_QUANTITY

# As many digits as any amount or quantity has; no exponents, which could stand for gigabytes of zeros.
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
# Two and a half, or two thousand five hundred: the locale of whoever wrote it would tell.
_AMBIGUOUS = re.compile(r"-?[1-9][0-9]{0,2}\.[0-9]{3}", re.ASCII)
# What programs write for a long number, a broken formula or nothing at all: different ids become the same text.
_MANGLED = re.compile(
    r"[0-9](\.[0-9]+)?E\+[0-9]+|#(NAME\?|NULL!|NUM!|REF!|VALUE!|DIV/0!|#+)|#?N/A|[Nn]a[Nn]|NULL|null|None|<NA>"
)

Cells = dict[str, Any]  # cells of a row by column: text, or what JSON knows besides


class CellError(ValueError):
    """What is wrong with a cell, beginning with the name of its column."""


def name_of(cells: Cells, column: str) -> str:
    text = text_of(cells, column)
    value = cells[column]
    if _MANGLED.fullmatch(text) or (isinstance(value, Decimal) and value.as_tuple().exponent):
        raise CellError(f"{column} {quoted(text)} is what a program writes instead of a name")
    return text


def text_of(cells: Cells, column: str) -> str:
    text = plain(cells, column)
    if not text:
        raise CellError(f"{column} is empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CellError(f"{column} {quoted(text)} is not UTF-8") from None
    return text


def quantity_of(cells: Cells, column: str) -> int:
    """Return a whole number of units; `2.0`, as spreadsheets write it, is one."""
    text = text_of(cells, column)
    if not _NUMBER.fullmatch(text) or (value := _unambiguous(cells, column)) != int(value):
        raise CellError(f"{column} {quoted(text)} is not a whole number")
    if not 1 <= value <= MAX_QUANTITY:
        raise CellError(f"{column} {quoted(text)} is not from 1 to {MAX_QUANTITY:,}")
    return int(value)


def number_of(cells: Cells, column: str, *, decimals: int) -> Decimal:
    """Return an exact decimal; where three decimals are usual they are no group of thousands."""
    text = text_of(cells, column)
    if not _NUMBER.fullmatch(text) or text.startswith("-0"):
        raise CellError(f"{column} {quoted(text)} is not a decimal number such as 29.33")
    return Decimal(text) if decimals == 3 else _unambiguous(cells, column)


def plain(cells: Cells, column: str) -> str:
    """Return what stands in a cell, the empty string if nothing does."""
    value = cells.get(column)
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Decimal):
        return str(value)
    raise CellError(f"{column} is neither text nor a number")


def _unambiguous(cells: Cells, column: str) -> Decimal:
    """Return a number; in JSON, where numbers are not text, a dot has one meaning."""
    text = plain(cells, column)
    if isinstance(cells[column], str) and _AMBIGUOUS.fullmatch(text):
        reason = "is ambiguous: its dot may separate thousands or decimals"
        raise CellError(f"{column} {quoted(text)} {reason}")
    return Decimal(text)
