"""Messages to bytes and back, in the Confluent wire format: a zero byte, the schema id, the Avro datum.

The format is described under "Wire format" in the documentation of Confluent Schema Registry.
"""

import io
import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import fastavro
from fastavro.types import Schema as ParsedSchema

from schemas.contracts import avsc
from schemas.message import Message
from schemas.registry import SchemaStore, UnknownSchemaError

MAGIC = 0
HEADER = struct.Struct(">bI")


class UndecodableError(ValueError):
    """The bytes are not a message: wrong magic byte, unknown schema id, or a datum that its schema does not fit."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A schema that messages were written with."""

    name: str
    schema: ParsedSchema


class Codec:
    """Encodes messages, and decodes them to the shape that this code was built with.

    Args:
        store: Where schema ids and texts come from.
        messages: The classes that are written and read. Their ids are resolved when first written with, or all at
            once by `resolve`.
    """

    def __init__(self, store: SchemaStore, messages: Iterable[type[Message]]) -> None:
        self._store = store
        self._classes = {message.NAME: message for message in messages}
        self._schemas = {name: fastavro.parse_schema(avsc(name)) for name in self._classes}
        self._prefixes: dict[str, bytes] = {}
        self._writers: dict[int, Writer] = {}

    def resolve(self) -> None:
        """Look up the id of every schema now, so that no later write waits for the registry.

        Raises:
            UnknownSchemaError: a schema was never published.
            RegistryUnavailableError: an id is not cached and the registry cannot be asked.
        """
        for name in self._classes:
            self._prefixes[name] = HEADER.pack(MAGIC, self._store.id_of(name))

    def encode(self, message: Message) -> bytes:
        """Return a message's bytes.

        Raises:
            ValueError: a value does not fit the schema, such as a decimal with too many digits.
        """
        name = message.NAME
        if name not in self._prefixes:
            self._prefixes[name] = HEADER.pack(MAGIC, self._store.id_of(name))
        buffer = io.BytesIO()
        buffer.write(self._prefixes[name])
        try:
            fastavro.schemaless_writer(buffer, self._schemas[name], message.to_avro(), strict=True)
        except (TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"{name} does not fit its schema: {error}") from error
        return buffer.getvalue()

    def decode(self, data: bytes) -> Message:
        """Return the message that the bytes hold, resolved from the writer's schema to this code's.

        Raises:
            UndecodableError: the bytes are no message of a class that this codec knows.
            RegistryUnavailableError: the writer's schema is not cached and the registry cannot be asked.
        """
        writer = self._writer(data)
        message_class = self._classes.get(writer.name)
        if message_class is None:
            raise UndecodableError(f"{writer.name} is not a message this program reads")
        return message_class.from_avro(self._read(data, writer, self._schemas[writer.name]))

    def decode_datum(self, data: bytes) -> tuple[str, Mapping[str, Any]]:
        """Return the record name and the fields as they were written, for messages of any kind.

        Raises:
            UndecodableError: the bytes are no Avro record in the wire format.
            RegistryUnavailableError: the writer's schema is not cached and the registry cannot be asked.
        """
        writer = self._writer(data)
        return writer.name, self._read(data, writer, None)

    def _writer(self, data: bytes) -> Writer:
        if len(data) < HEADER.size:
            raise UndecodableError(
                f"{len(data)} bytes are too few for a magic byte and a schema id"
            )
        magic, schema_id = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise UndecodableError(f"the first byte is {magic}, not the magic byte {MAGIC}")
        if schema_id not in self._writers:
            self._writers[schema_id] = self._load(schema_id)
        return self._writers[schema_id]

    def _load(self, schema_id: int) -> Writer:
        try:
            document = json.loads(self._store.schema_of(schema_id))
        except UnknownSchemaError as error:
            raise UndecodableError(str(error)) from error
        schema = fastavro.parse_schema(document)
        return Writer(fastavro.schema.fullname(document), schema)

    @staticmethod
    def _read(data: bytes, writer: Writer, reader: ParsedSchema | None) -> Mapping[str, Any]:
        buffer = io.BytesIO(data)
        buffer.seek(HEADER.size)
        try:
            datum = fastavro.schemaless_reader(buffer, writer.schema, reader)
        except Exception as error:  # fastavro raises whatever the corrupt bytes lead it to
            raise UndecodableError(f"not a datum of {writer.name}: {error!r}") from error
        rest = len(data) - buffer.tell()
        if rest or not isinstance(datum, dict):
            raise UndecodableError(f"{rest} bytes are left over after a datum of {writer.name}")
        return datum
