"""Reads single cells of a row: text, whole numbers, amounts."""

import re
from decimal import Decimal
from typing import Any

from schemas.rest.fields import MAX_QUANTITY

MAX_QUOTED = 40
# As many digits as any amount or quantity has; no exponents, which could stand for gigabytes of zeros.
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)

Cells = dict[str, Any]
"""Cells of a row by column: text, or what JSON knows besides."""


class CellError(ValueError):
    """What is wrong with a cell, beginning with the name of its column."""


def reference(cells: Cells, column: str | None) -> str | None:
    """Return the order that a row says it belongs to, None when it says nothing."""
    value = cells.get(column) if column else None
    return None if value is None else str(value).strip() or None


def text_of(cells: Cells, column: str) -> str:
    """Return text that is not empty.

    Raises:
        CellError: there is none, or it is not UTF-8.
    """
    text = plain(cells, column)
    if not text:
        raise CellError(f"{column} is empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CellError(f"{column} {quoted(text)} is not UTF-8") from None
    return text


def quantity_of(cells: Cells, column: str) -> int:
    """Return a whole number of units; `2.0`, as spreadsheets write it, is one.

    Raises:
        CellError: it is none, or out of range.
    """
    text = text_of(cells, column)
    if not _NUMBER.fullmatch(text) or (value := Decimal(text)) != int(value):
        raise CellError(f"{column} {quoted(text)} is not a whole number")
    if not 1 <= value <= MAX_QUANTITY:
        raise CellError(f"{column} {quoted(text)} is not from 1 to {MAX_QUANTITY:,}")
    return int(value)


def number_of(cells: Cells, column: str) -> Decimal:
    """Return an exact decimal.

    Raises:
        CellError: it is none.
    """
    text = text_of(cells, column)
    if not _NUMBER.fullmatch(text):
        raise CellError(f"{column} {quoted(text)} is not a decimal number such as 29.33")
    return Decimal(text)


def plain(cells: Cells, column: str) -> str:
    """Return what stands in a cell, the empty string if nothing does.

    Raises:
        CellError: JSON holds something else there than text or a number.
    """
    value = cells.get(column)
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Decimal):
        return str(value)
    raise CellError(f"{column} is neither text nor a number")


def quoted(text: str) -> str:
    """Return text that may be anything, short and printable."""
    shown = text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."
    return '"' + "".join(map(_printable, shown)) + '"'


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
