"""Ids of schemas that messages name: known from the cache on disk, held against what the registry says of them."""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from schemas.registry import SchemaStore, client, explain, failures, is_missing
from schemas.registry_settings import RegistrySettings


def known_ids(registry: RegistrySettings, cache: Path) -> dict[int, str]:
    """Return id -> schema text of every id that a process of this installation has written or read."""
    entries = SchemaStore(registry, cache).directory.glob("*.avsc")
    return {int(entry.stem): entry.read_text() for entry in entries if entry.stem.isdecimal()}


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
            if held is None or json.loads(held) != json.loads(text):
                strange[schema_id] = held
    return strange
