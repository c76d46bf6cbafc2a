"""The Avro schema files: written (`avro/`), pinned to read (`readers/`), written in the past (`golden/`)."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from schemas.contract_error import ContractError
from schemas.gate.avro.parse import MalformedSchemaError, record
from schemas.gate.json_text import JsonError, parse_json
from schemas.gate.lines import line_of
from schemas.references import inlined


class NoSchemaError(LookupError):
    """There is no schema file for what is named."""


@dataclass(frozen=True, slots=True)
class Reader:
    """The shape in which one consumer reads one message: some fields of the message, perhaps of an earlier version."""

    consumer: str
    message: str
    schema: dict[str, Any]  # the reader's schema; its name is the message's


@dataclass(frozen=True, slots=True)
class Golden:
    """Bytes that one version of a message was written as, kept for good."""

    message: str
    version: int  # number of the version, from 1
    schema: dict[str, Any]
    datum: bytes  # the Avro datum, without magic byte and schema id
    reads_as: Any  # what a consumer reads in it, as JSON; later fields may be left out

    @property
    def label(self) -> str:
        """Name of its file, such as `orders.OrderCreated.v1`."""
        return f"{self.message}.v{self.version}"

    def text(self) -> str:
        kept = {"datum": self.datum.hex(), "reads_as": self.reads_as, "schema": self.schema}
        return json.dumps(kept, indent=2, ensure_ascii=False) + "\n"


def avsc(name: str) -> dict[str, Any]:
    """Return the schema document of a record by full name, such as `orders.OrderCreated`.

    Named types that have files of their own are put in place, so that the document is whole by itself.

    Raises:
        NoSchemaError: there is no such file.
        ContractError: it is not the schema of a record.
    """
    document = _named(name)
    with suppress(LookupError):  # of what it names; reading it as it is tells where that stands
        document = inlined(document, _named)
    return _record(document, name, *_path(name))


def reader_avsc(consumer: str, name: str) -> dict[str, Any]:
    """Return the schema document that a consumer has pinned for a message.

    Raises:
        NoSchemaError: the consumer pins none.
        ContractError: it is not the schema of a record.
    """
    path = ("readers", consumer, f"{name}.avsc")
    return _record(_document(*path), name, *path)


def readers() -> tuple[Reader, ...]:
    """Return every pinned reader schema; a consumer that pins none for a message reads the whole of it."""
    root = resources.files(__package__).joinpath("readers")
    return tuple(
        Reader(consumer.name, name, reader_avsc(consumer.name, name))
        for consumer in sorted(root.iterdir(), key=lambda entry: entry.name)
        for name in sorted(file.name.removesuffix(".avsc") for file in consumer.iterdir())
    )


def goldens() -> tuple[Golden, ...]:
    """Return the golden bytes of every version of every message, versions in their order."""
    found = []
    for file in resources.files(__package__).joinpath("golden").iterdir():
        message, _, version = file.name.removesuffix(".json").rpartition(".v")
        kept = _document("golden", file.name)
        datum = bytes.fromhex(kept["datum"])
        found.append(Golden(message, int(version), kept["schema"], datum, kept["reads_as"]))
    return tuple(sorted(found, key=lambda golden: (golden.message, golden.version)))


@cache
def canonical(name: str) -> str:
    """Return a schema as the one text that is registered and fingerprinted, white space removed."""
    return json.dumps(avsc(name), separators=(",", ":"))


def fingerprint(schema: str) -> str:
    """Return the SHA-256 of a schema text, in hex: its key in the id cache."""
    return hashlib.sha256(schema.encode()).hexdigest()


def _named(name: str) -> dict[str, Any]:
    document: dict[str, Any] = _document(*_path(name))
    return document


def _path(name: str) -> tuple[str, ...]:
    context, _, record_name = name.partition(".")
    return ("avro", context, f"{record_name}.avsc")


def _document(*path: str) -> Any:
    text = _text(*path)
    try:
        text.encode()
        return json.loads(text, object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        return _by_the_gate(text, *path)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _by_the_gate(text: str, *path: str) -> Any:
    """Read once more what could not be read: the gate takes many times as long, and says in which line that is."""
    try:
        return parse_json(text)
    except JsonError as error:
        raise ContractError(_shown(*path), error.problem, error.line) from error


def _record(document: Any, name: str, *path: str) -> dict[str, Any]:
    """Return the document of a schema that is the one of a message."""
    try:
        called = record(document).name
    except MalformedSchemaError as error:
        place = str(error.place)
        problem, line = f"{place}: {error.problem}", line_of(_text(*path), place)
        raise ContractError(_shown(*path), problem, line) from error
    if called != name:
        raise ContractError(_shown(*path), f"it is the schema of {called}, and not of {name}", 1)
    checked: dict[str, Any] = document
    return checked


def _text(*path: str) -> str:
    file = resources.files(__package__).joinpath(*path)
    if not file.is_file():
        raise NoSchemaError(f"no schema file {_shown(*path)}")
    return file.read_bytes().decode("utf-8", "surrogateescape")


def _shown(*path: str) -> str:
    return "/".join(("schemas", *path))
