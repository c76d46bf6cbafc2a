"""Avro values to dictionaries, as one writes it by hand: fastavro and the writer's schema, parsed once."""

import json
from io import BytesIO
from typing import Any

import fastavro
from fastavro.types import Schema

from schemas.codec import HEADER, MAGIC
from schemas.registry import SchemaStore


class Decoder:
    """Decodes values in the Confluent wire format.

    Args:
        store: Where the writers' schemas come from.
    """

    def __init__(self, store: SchemaStore) -> None:
        self._store = store
        self._schemas: dict[int, Schema] = {}

    def decode(self, value: bytes) -> Any:
        """Return the fields of a record.

        Raises:
            ValueError: the value does not begin with the magic byte.
        """
        magic, schema_id = HEADER.unpack_from(value)
        if magic != MAGIC:
            raise ValueError(f"the first byte is {magic}, not the magic byte {MAGIC}")
        schema = self._schemas.get(schema_id)
        if schema is None:
            schema = fastavro.parse_schema(json.loads(self._store.schema_of(schema_id)))
            self._schemas[schema_id] = schema
        buffer = BytesIO(value)
        buffer.seek(HEADER.size)
        return fastavro.schemaless_reader(buffer, schema, None)
