"""The Avro schema files: finding, reading and fingerprinting the `.avsc` documents under `avro/`."""

import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any


def avsc(name: str) -> dict[str, Any]:
    """Return the schema document of a record by full name, such as `orders.OrderCreated`.

    Raises:
        LookupError: there is no such file.
    """
    context, _, record = name.partition(".")
    file = resources.files(__package__).joinpath("avro", context, f"{record}.avsc")
    if not file.is_file():
        raise LookupError(f"no schema file avro/{context}/{record}.avsc")
    document: dict[str, Any] = json.loads(file.read_text())
    return document


@cache
def canonical(name: str) -> str:
    """Return a schema as the one text that is registered and fingerprinted, white space removed."""
    return json.dumps(avsc(name), separators=(",", ":"))


def fingerprint(schema: str) -> str:
    """Return the SHA-256 of a schema text, in hex: its key in the id cache."""
    return hashlib.sha256(schema.encode()).hexdigest()
