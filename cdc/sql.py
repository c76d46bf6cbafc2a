"""Named SQL kept in `.sql` files, where a database administrator finds and runs it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from cdc.envelope import HEADERS, WRITTEN, OutboxRow


def _values(columns: Iterable[str]) -> str:
    return ", ".join(f"%({column})s" for column in columns)


PARTS = {
    "outbox_row": ", ".join(OutboxRow._fields),
    "outbox_row_values": _values(OutboxRow._fields),
    "outbox_written": ", ".join(WRITTEN),
    "outbox_written_values": _values(WRITTEN),
    "outbox_written_arrays": ", ".join(
        f"%({header.column})s::{header.sql_type}[]"
        for header in HEADERS
        if header.column in WRITTEN
    ),
}
"""What stands in a file for lists of columns, between colons, so that no file has to be changed for a new header."""

NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load_queries(package: str, file: str = "queries.sql") -> Mapping[str, bytes]:
    """Return the statements of a file by name, with the columns of an outbox filled in, see `PARTS`.

    Args:
        file: File name. Each statement follows a line `-- name: <name>`.

    Raises:
        ValueError: two statements share a name.
    """
    text = resources.files(package).joinpath(file).read_text()
    for part, meant in PARTS.items():
        text = text.replace(f":{part}:", meant)
    found = NAME.split(text)[1:]
    names, statements = found[::2], found[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{package}/{file} names a statement twice")
    return {
        name: text.strip().rstrip(";").encode()
        for name, text in zip(names, statements, strict=True)
    }


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return rows, of which there is one at least, as an array for each column, as `unnest` takes them."""
    return {name: [row[name] for row in rows] for name in rows[0]}
