"""Named SQL kept in `.sql` files, where a database administrator finds and runs it."""

import re
from collections.abc import Mapping
from importlib import resources

NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load_queries(package: str, file: str = "queries.sql") -> Mapping[str, bytes]:
    """Return the statements of a file by name.

    Args:
        package: Package that holds the file.
        file: File name. Each statement follows a line `-- name: <name>`.

    Raises:
        ValueError: two statements share a name.
    """
    parts = NAME.split(resources.files(package).joinpath(file).read_text())[1:]
    names, statements = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{package}/{file} names a statement twice")
    return {
        name: text.strip().rstrip(";").encode()
        for name, text in zip(names, statements, strict=True)
    }
