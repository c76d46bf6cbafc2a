"""Ids of schemas that messages name: known from the cache on disk, held against what the registry says of them."""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from schemas.gate.avro.parse import record
from schemas.registry import SchemaStore, client, explain, failures, is_missing
from schemas.registry_settings import RegistrySettings


def known_ids(registry: RegistrySettings, cache: Path) -> dict[int, str]:
    """Return id -> schema text of every id that a process of this installation has written or read.

    What is no schema of a message, such as a .proto text that somebody's records announce, counts for nothing.
    """
    entries = SchemaStore(registry, cache).directory.glob("*.avsc")
    texts = {
        int(entry.stem): entry.read_text(errors="replace")
        for entry in entries
        if entry.stem.isdecimal()
    }
    return {schema_id: text for schema_id, text in texts.items() if name_in(text)}


def name_in(text: str) -> str | None:
    """Return the full name of the message whose schema a text is; None where it is none."""
    try:
        return record(json.loads(text)).name
    except (ValueError, RecursionError):
        return None


def strange_ids(registry: RegistrySettings, known: Mapping[int, str]) -> dict[int, str | None]:
    """Return those ids under which the registry holds something else, and what that is; None where it holds nothing."""
    strange: dict[int, str | None] = {}
    with closing(client(registry)) as asked:
        for schema_id, text in sorted(known.items()):
            try:
                held = asked.get_schema(schema_id).schema_str
            except failures() as error:
                if not is_missing(error):
                    raise explain(error, registry) from error
                held = None
            if held is None or _loaded(held) != _loaded(text):
                strange[schema_id] = held
    return strange


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
