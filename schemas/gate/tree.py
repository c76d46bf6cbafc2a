"""The contract files of one state of the repository: texts by their paths below `schemas/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import schemas

CATALOGUE = "catalogue.toml"
AVRO, READERS, PROTO, OPENAPI = "avro/", "readers/", "proto/", "rest/openapi/"
SUFFIXES = {AVRO: ".avsc", READERS: ".avsc", PROTO: ".proto", OPENAPI: ".json"}
"""Directories of contracts and how the names of their files end."""
PATHS = (CATALOGUE, *SUFFIXES)

Files = Mapping[str, str]
"""Texts by path; bytes that are not UTF-8 are there as lone surrogates."""


def contracts_directory() -> Path:
    """Return the `schemas/` directory that this code runs from."""
    return Path(schemas.__path__[0])


def read(directory: Path) -> dict[str, str]:
    """Return the contract files below a directory as they are on disk."""
    found = [directory / CATALOGUE] if (directory / CATALOGUE).is_file() else []
    for folder, suffix in SUFFIXES.items():
        found += sorted((directory / folder).rglob(f"*{suffix}"))
    return {
        path.relative_to(directory).as_posix(): path.read_text("utf-8", errors="surrogateescape")
        for path in found
    }


def is_contract(path: str) -> bool:
    """Whether a path below `schemas/` is that of a contract file."""
    kinds = SUFFIXES.items()
    return path == CATALOGUE or any(path.startswith(at) and path.endswith(end) for at, end in kinds)


def below(files: Files, folder: str) -> dict[str, str]:
    """Return the files of one kind, by their paths below its folder."""
    suffix = SUFFIXES[folder]
    return {
        path.removeprefix(folder): text
        for path, text in files.items()
        if path.startswith(folder) and path.endswith(suffix)
    }


def message_of(path: str) -> str:
    """Return the message that a schema file is for: `avro/orders/OrderCreated.avsc` is orders.OrderCreated."""
    return path.removeprefix(AVRO).removesuffix(SUFFIXES[AVRO]).replace("/", ".")


def path_of(message: str) -> str:
    """Return the path of a message's schema file."""
    context, _, record = message.partition(".")
    return f"{AVRO}{context}/{record}{SUFFIXES[AVRO]}"
