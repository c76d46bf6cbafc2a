"""The contract files of one state of the repository: texts by their paths below `schemas/`."""

import os
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


class Unreadable(str):
    """Stands in for the text of a contract file that cannot be read, and says why as a clause."""

    __slots__ = ()


def contracts_directory() -> Path:
    return Path(schemas.__path__[0])


def read(directory: Path) -> dict[str, str]:
    found = [directory / CATALOGUE] if os.path.lexists(directory / CATALOGUE) else []
    for folder, suffix in SUFFIXES.items():
        found += sorted((directory / folder).rglob(f"*{suffix}"))
    return {path.relative_to(directory).as_posix(): _text(path) for path in found}


def _text(path: Path) -> str:
    if path.is_dir():
        return Unreadable("it is a directory, and a file is expected")
    if path.is_symlink() and not path.exists():
        return Unreadable(f"it is a symbolic link to {path.readlink()}, which is not there")
    if not path.is_file():  # reading a pipe would wait for ever
        return Unreadable("it is no regular file")
    try:
        return path.read_bytes().decode(errors="surrogateescape")
    except OSError as error:
        return Unreadable(f"it cannot be read: {error.strerror}")


def is_contract(path: str) -> bool:
    """Whether a path below `schemas/` is that of a contract file."""
    kinds = SUFFIXES.items()
    return path == CATALOGUE or any(path.startswith(at) and path.endswith(end) for at, end in kinds)


def below(files: Files, folder: str) -> dict[str, str]:
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
    context, _, record = message.partition(".")
    return f"{AVRO}{context}/{record}{SUFFIXES[AVRO]}"
