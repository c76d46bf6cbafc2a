"""Generates the message classes under `messages/` from the Avro schemas, for `make generate`.

There is a module for each context, and one for each consumer that pins its own shapes to read in.

The classes are committed, so that a reader and a type checker see them; a test fails when they drift from the
schemas.
"""

import re
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from schemas.catalogue import catalogue
from schemas.contracts import avsc, readers
from schemas.gate.avro.parse import record
from schemas.identifiers import module_name
from schemas.module import Module

LINE_LENGTH = "100"


def render_all() -> dict[str, str]:
    modules: dict[str, Module] = defaultdict(Module)
    heads: dict[str, str] = {}
    entries = []
    for name in catalogue().messages:
        context = name.partition(".")[0]
        module = module_name(context)
        entries.append(f"{module}.{modules[module].add(record(avsc(name)), name)}")
        heads[module] = f"Messages of the `{context}` context, generated from `avro/{context}/`."
    contexts = sorted(heads)
    for pinned in readers():
        module = "as_read_by_" + re.sub(r"\W", "_", pinned.consumer)
        modules[module].add(record(pinned.schema), pinned.message, pinned.consumer)
        heads[module] = f"Messages as {pinned.consumer} reads them, generated from `readers/`."
    files = {f"{name}.py": module.render(heads[name]) for name, module in modules.items()}
    return formatted(files | {"__init__.py": _index(contexts, entries)})


def formatted(files: dict[str, str]) -> dict[str, str]:
    """Return modules as the formatter leaves them: lines may be long where a type is, or where contexts are many."""
    with TemporaryDirectory() as directory:
        for name, text in files.items():
            Path(directory, name).write_text(text)
        ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--quiet"]
        subprocess.run([*ruff, "--line-length", LINE_LENGTH, directory], check=True)
        return {name: Path(directory, name).read_text() for name in files}


def _index(contexts: list[str], names: list[str]) -> str:
    entries = "\n".join(f"    {name}," for name in names)
    return textwrap.dedent('''\
        """The message classes, one module a context, generated from the Avro schemas. Do not edit."""

        from schemas.message import Message
        from schemas.messages import {contexts}

        ALL: tuple[type[Message], ...] = (
        {entries}
        )
        """Every message class, in the catalogue's order."""
        ''').format(contexts=", ".join(contexts), entries=entries)
