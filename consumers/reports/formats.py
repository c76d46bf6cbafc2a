"""The forms that a report can be had in. Each is written from JSON lines, piece by piece, into a file."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import IO

from arro3.core import DataType, Field, Schema
from arro3.io import read_json, write_parquet

from consumers.reports.rows import Row

COLUMNS = tuple(field.name for field in fields(Row))
ROWS_AT_ONCE = 8192  # rows of Parquet in memory, together in a row group

_FORMULAS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""With one of these a spreadsheet takes a text for a formula, the full-width ones in some languages (OWASP)."""
_TEXTS = ("currency", "sku", "cancelled_by_reason")
_AMOUNT = DataType.decimal128(38, 4)
_TYPES = {
    "day": DataType.date32(),
    "orders_placed": DataType.int64(),
    "orders_confirmed": DataType.int64(),
    "orders_cancelled": DataType.int64(),
    "revenue": _AMOUNT,
    "refunds": _AMOUNT,
}
_SCHEMA = Schema(
    [Field(name, _TYPES.get(name, DataType.utf8()), nullable=name == "sku") for name in COLUMNS]
)


def to_csv(lines: IO[bytes], out: IO[bytes]) -> None:
    """Write CSV (RFC 4180) in UTF-8, with a header; texts that a spreadsheet would carry out begin with `'`."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for line in lines:
        row = json.loads(line)
        writer.writerow(row | {name: harmless(row[name]) for name in _TEXTS})
    text.detach()


def to_parquet(lines: IO[bytes], out: IO[bytes]) -> None:
    """Write Parquet, with days as dates and amounts as decimals of four places."""
    rows = read_json(lines, _SCHEMA, batch_size=ROWS_AT_ONCE)
    write_parquet(rows, out, compression="zstd(3)", max_row_group_size=ROWS_AT_ONCE)


def harmless(text: str | None) -> str | None:
    """Return a text as a spreadsheet shows it, and does not take it for a formula."""
    return f"'{text}" if text and text.startswith(_FORMULAS) else text


FORMATS: Mapping[str, Callable[[IO[bytes], IO[bytes]], None]] = {
    "csv": to_csv,
    "parquet": to_parquet,
}
