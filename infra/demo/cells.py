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
    value = cells.get(column) if column else None
    return None if value is None else str(value).strip() or None


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
    text = text_of(cells, column)
    if not _NUMBER.fullmatch(text) or (value := Decimal(text)) != int(value):
        raise CellError(f"{column} {quoted(text)} is not a whole number")
    if not 1 <= value <= MAX_QUANTITY:
        raise CellError(f"{column} {quoted(text)} is not from 1 to {MAX_QUANTITY:,}")
    return int(value)


def number_of(cells: Cells, column: str) -> Decimal:
    text = text_of(cells, column)
    if not _NUMBER.fullmatch(text):
        raise CellError(f"{column} {quoted(text)} is not a decimal number such as 29.33")
    return Decimal(text)


def plain(cells: Cells, column: str) -> str:
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
    printable = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown
    )
    return f'"{printable}"'
