"""Reads files of rows: CSV or JSON lines. A row at a time, never the whole file, and as often as wanted."""

import csv
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from cdc.text import quoted
from infra.demo.orders import BadRow, DemoError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
LINES = "lines"  # member of a JSON order that holds its lines, as in the body of `POST /v2/orders`

MAX_LINE_CHARACTERS = 2**20
MAX_PEEKED_ROWS = 100
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel's, before the headings
_QUOTATION = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the number of its line in the file, from 1, and its cells by column.

    `shared` are the columns of the JSON order that it is one of the `lines` of; None for other rows.
    """

    line: int
    cells: dict[str, Any]
    shared: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An open file: its format in words, its headings or the members of its first object, and what reads its rows."""

    format: str
    columns: tuple[str, ...]
    rows: Callable[[], Iterator[Row | BadRow]]


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a file of rows; which format it has, its name and content tell."""
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DemoError(f"{path} cannot be read: {reason}.") from error
    # What is not UTF-8 spoils its own row, not the file: see infra.demo.cells.
    with (
        file,
        TextIOWrapper(
            _seekable(file), encoding="utf-8-sig", errors="surrogateescape", newline=""
        ) as text,
    ):
        yield _table(path, text)


def _seekable(file: BinaryIO) -> BinaryIO:
    """Return a file that can be read twice: a pipe is copied first."""
    if file.seekable():
        return file
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the text that wraps it
    shutil.copyfileobj(file, copy)
    return copy


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    file.seek(0)
    read = iter(partial(file.readline, MAX_LINE_CHARACTERS), "")
    for number, line in enumerate(read, start=1):
        if len(line) == MAX_LINE_CHARACTERS:
            raise DemoError(
                f"line {number} of {path} is longer than {MAX_LINE_CHARACTERS:,} characters."
            )
        yield line


def _table(path: Path, file: TextIO) -> Table:
    lines = enumerate(_lines(path, file))
    before, first = next(((n, line) for n, line in lines if line.strip()), (0, ""))
    if not first:
        raise DemoError(
            f"{path} is empty: it needs a line of column names and a line for each row."
        )
    if "\0" in first or any("\ud800" <= character <= "\udfff" for character in first):
        raise DemoError(f"{path} is not text in UTF-8; save it as CSV in UTF-8.")
    if first.lstrip().startswith("["):
        raise DemoError(
            f"{path} holds one JSON array; write one object per line instead (`jq -c '.[]'`)."
        )
    if first.lstrip().startswith("{") or path.suffix.lower() in JSON_SUFFIXES:
        return _json_table(path, lambda: _json_rows(_lines(path, file)))
    separator = _SEPARATOR_LINE.fullmatch(first)
    if separator and separator[1] not in DELIMITERS:
        raise DemoError(f"{path} has {quoted(separator[1])} between columns: use a comma instead.")
    delimiter = separator[1] if separator else _sniff(path, first)
    skipped = before + bool(separator)
    columns = _headings(
        path,
        csv.reader(islice(_lines(path, file), skipped, None), strict=True, delimiter=delimiter),
    )
    return Table(
        f"CSV, {DELIMITERS[delimiter]} between columns",
        columns,
        lambda: _csv_rows(_lines(path, file), delimiter, skipped, columns),
    )


def _sniff(path: Path, header: str) -> str:
    parting = [each for each in DELIMITERS if each in _QUOTATION.sub("", header)]
    if len(parting) > 1:
        names = " or a ".join(DELIMITERS[each] for each in parting)
        raise DemoError(
            f"{path} has a {names} between columns: put headings that contain one into quotes, "
            "or begin the file with a line such as sep=; to tell."
        )
    return parting[0] if parting else ","


def _headings(path: Path, reader: Iterator[list[str]]) -> tuple[str, ...]:
    try:
        headings = tuple(heading.strip() for heading in next(reader, []))
    except csv.Error as error:
        raise DemoError(f"The column names of {path} are not CSV: {error}.") from error
    if twice := next((each for each in headings if each and headings.count(each) > 1), None):
        raise DemoError(f"{path} has two columns {quoted(twice)}: rename or remove one.")
    return headings


def _csv_rows(
    lines: Iterator[str], delimiter: str, skipped: int, columns: Sequence[str]
) -> Iterator[Row | BadRow]:
    reader = csv.reader(islice(lines, skipped, None), delimiter=delimiter, strict=True)
    next(reader, None)
    while True:
        first = reader.line_num + skipped + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(first, reader.line_num + skipped, f"is not CSV: {error}")
            continue
        if not any(cells):
            continue
        if reason := _misfit(cells, columns):
            yield BadRow(first, reader.line_num + skipped, reason)
        else:
            yield Row(
                first, {name: cell for name, cell in zip(columns, cells, strict=False) if name}
            )


def _misfit(cells: Sequence[str], columns: Sequence[str]) -> str | None:
    """Say why cells do not stand below their headings; empty ones at the end are only delimiters."""
    if len(cells) < len(columns) or any(cells[len(columns) :]):
        return f"has {len(cells)} cells for {len(columns)} columns"
    if any(cell for name, cell in zip(columns, cells, strict=False) if not name):
        return "has a cell in a column without a heading"
    return None


def _json_table(path: Path, rows: Callable[[], Iterator[Row | BadRow]]) -> Table:
    """Return a table with the columns of the first object; lines that are none are named with the rows."""
    peeked = list(islice(rows(), MAX_PEEKED_ROWS))
    for row in peeked:
        if isinstance(row, Row):
            return Table("JSON lines", tuple(row.cells), rows)
    raise DemoError(
        f"{path} does not begin with rows that can be read, a JSON object on each line; {peeked[0]}."
    )


def _json_rows(lines: Iterator[str]) -> Iterator[Row | BadRow]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield from _rows_of(number, _load(line))
        except ValueError as error:
            yield BadRow(number, number, str(error))


def _load(line: str) -> dict[str, Any]:
    """Return the object in a line; numbers stay as exact as they are written."""
    try:
        value = _DECODER.decode(line.strip())
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at character {error.colno}") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    return value


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"has a number out of range: {quoted(text)}") from None


def _constant(name: str) -> None:
    raise ValueError(f"is not JSON: {name} is no number")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"has {quoted(max(names, key=names.count))} twice in one object")
    return members


_DECODER = json.JSONDecoder(
    parse_float=_exact, parse_int=_exact, parse_constant=_constant, object_pairs_hook=_distinct
)


def _rows_of(number: int, order: dict[str, Any]) -> Sequence[Row]:
    """Return an object's rows: itself, or one for each of its `lines`."""
    if LINES not in order:
        return [Row(number, order)]
    lines = order.pop(LINES)
    if not (isinstance(lines, list) and lines and all(isinstance(line, dict) for line in lines)):
        raise ValueError(f"{LINES} is not a list of objects")
    if twice := next((name for line in lines for name in line if name in order), None):
        raise ValueError(f"has {quoted(twice)} beside its {LINES} and in one of them")
    return [Row(number, order | line, frozenset(order)) for line in lines]
