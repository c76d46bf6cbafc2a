"""Reads files of rows: CSV with any usual delimiter, or JSON lines. A row at a time, never the whole file."""

import csv
import json
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

from infra.demo.orders import BadRow, DemoError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
LINES = "lines"
"""Member of a JSON order that holds its lines, as in the body of `POST /v1/orders`."""

MAX_LINE_CHARACTERS = 2**20
MAX_PEEKED_LINES = 100
CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the number of its line in the file, from 1, and its cells by column."""

    line: int
    cells: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """An open file.

    Args:
        format: How it was understood, in words.
        headed: Its columns are the same for all rows.
        columns: Headings of a CSV file, or the members of the first JSON object.
        rows: Its rows, to be read once.
        total: Number of rows if all are one line long; None when it cannot be told beforehand.
    """

    format: str
    headed: bool
    columns: tuple[str, ...]
    rows: Iterator[Row | BadRow]
    total: int | None


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a file of rows; which format it has, its name and content tell.

    Raises:
        DemoError: there is no such file, or nothing in it that could be rows.
    """
    try:
        # What is not UTF-8 spoils its own row, not the file: see infra.demo.rows.
        file = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        raise DemoError(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        yield _table(path, file)


def _table(path: Path, file: TextIO) -> Table:
    lines = _bounded(path, file)
    blank = 0
    for first in lines:
        if first.strip():
            break
        blank += 1
    else:
        raise DemoError(
            f"{path} is empty: it needs a line of column names and a line for each row."
        )
    if not _is_text(first):
        raise DemoError(f"{path} is not text in UTF-8; save it as CSV in UTF-8.")
    lines = chain([first], lines)
    total = _count_lines(path)
    if first.lstrip().startswith("[") and path.suffix.lower() in JSON_SUFFIXES:
        raise DemoError(
            f"{path} holds one JSON array; write one object per line instead (`jq -c '.[]'`)."
        )
    if first.lstrip().startswith("{") or path.suffix.lower() in JSON_SUFFIXES:
        peeked = list(islice(lines, MAX_PEEKED_LINES))
        rows = _json_rows(chain(peeked, lines), blank)
        return Table("JSON lines", False, _members(path, peeked), rows, total)
    delimiter = sniff(first)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    columns = _headings(path, reader)
    rows = _csv_rows(reader, columns, blank)
    return Table(
        f"CSV, {DELIMITERS[delimiter]} between columns", True, columns, rows, total and total - 1
    )


def sniff(header: str) -> str:
    """Return the delimiter that parts a line of headings into most columns."""

    def columns(delimiter: str) -> int:
        return len(next(csv.reader([header], delimiter=delimiter)))

    return max(DELIMITERS, key=columns)


def _bounded(path: Path, file: TextIO) -> Iterator[str]:
    read = iter(partial(file.readline, MAX_LINE_CHARACTERS), "")
    for number, line in enumerate(read, start=1):
        if len(line) == MAX_LINE_CHARACTERS:
            raise DemoError(
                f"line {number} of {path} is longer than {MAX_LINE_CHARACTERS:,} characters; "
                "nothing from there on was read."
            )
        yield line


def _is_text(line: str) -> bool:
    return "\0" not in line and not any("\ud800" <= character <= "\udfff" for character in line)


def _count_lines(path: Path) -> int | None:
    if not stat.S_ISREG(path.stat().st_mode):
        return None
    with path.open("rb") as file:
        chunks = iter(partial(file.read, CHUNK_BYTES), b"")
        return sum(chunk.count(b"\n") for chunk in chunks) or None


def _headings(path: Path, reader: Iterator[list[str]]) -> tuple[str, ...]:
    try:
        headings = next(reader)
    except csv.Error as error:
        raise DemoError(f"The column names of {path} are not CSV: {error}.") from error
    return tuple(_distinct([heading.strip() for heading in headings]))


def _distinct(headings: Sequence[str]) -> Iterator[str]:
    """Number what is repeated: the first keeps its name, so nobody's cell replaces another's."""
    for index, heading in enumerate(headings):
        before = headings[:index].count(heading)
        yield f"{heading} ({before + 1})" if before else heading


def _csv_rows(
    reader: Any,  # the class of csv.reader() has no public name
    columns: Sequence[str],
    blank: int,
) -> Iterator[Row | BadRow]:
    while True:
        first = reader.line_num + blank + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(first, reader.line_num + blank, f"is not CSV: {error}")
            continue
        if not any(cells):
            continue
        if any(cells[len(columns) :]):
            reason = f"has {len(cells)} cells for {len(columns)} columns"
            yield BadRow(first, reader.line_num + blank, reason)
        else:
            yield Row(first, dict(zip(columns, cells, strict=False)))


def _members(path: Path, lines: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of the first object; lines that are none will be named with the rows."""
    for row in _json_rows(lines, 0):
        if isinstance(row, Row):
            return tuple(row.cells)
    raise DemoError(f"{path} does not begin with JSON objects, one on each line.")


def _json_rows(lines: Iterable[str], blank: int) -> Iterator[Row | BadRow]:
    for number, line in enumerate(lines, start=blank + 1):
        if not line.strip():
            continue
        try:
            for cells in _objects(_load(line)):
                yield Row(number, cells)
        except ValueError as error:
            yield BadRow(number, number, str(error))


def _load(line: str) -> dict[str, Any]:
    """Return the object in a line; numbers stay as exact as they are written.

    Raises:
        ValueError: there is none.
    """
    try:
        value = json.loads(line, parse_float=Decimal, parse_int=Decimal)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at character {error.colno}") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    return value


def _objects(order: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """Return an object's rows: itself, or one for each of its `lines`.

    Raises:
        ValueError: its `lines` are no list of objects.
    """
    if LINES not in order:
        return [order]
    lines = order[LINES]
    if (
        not isinstance(lines, list)
        or not lines
        or not all(isinstance(line, dict) for line in lines)
    ):
        raise ValueError(f"{LINES} is not a list of objects")
    rest = {name: value for name, value in order.items() if name != LINES}
    return [rest | line for line in lines]
