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

from schemas import uuids
from schemas.contracts import avsc, reader_avsc
from schemas.message import Message
from schemas.registry import Schemas, UnknownSchemaError
from schemas.upcasting import UPCASTERS, Upcaster

MAGIC = 0
HEADER = struct.Struct(">bI")


class UndecodableError(ValueError):
    """The bytes are not a message: wrong magic byte, unknown schema id, or a datum that its schema does not fit."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A schema that messages were written with, the upcasters that its age calls for, and what they lead to.

    Args:
        name: Full name of the message.
        schema: The schema.
        reader: What is read is resolved to this; None when that would change nothing, which fastavro would otherwise
            find out anew for each datum.
        upcasters: Bridges to the current schema, oldest first.
        upcast_schema: The current schema, when there are upcasters.
    """

    name: str
    schema: ParsedSchema
    reader: ParsedSchema | None
    upcasters: tuple[Upcaster, ...]
    upcast_schema: ParsedSchema | None


class Codec:
    """Encodes messages, and decodes them to the shape that this code was built with.

    Args:
        store: Where schema ids and texts come from.
        messages: The classes that are written and read. Their ids are resolved when first written with, or all at
            once by `resolve`.
        upcasters: Bridges from old events that Avro's resolution cannot cross, oldest first.
    """

    def __init__(
        self,
        store: Schemas,
        messages: Iterable[type[Message]],
        upcasters: Iterable[Upcaster] = UPCASTERS,
    ) -> None:
        uuids.read_fast()
        self._store = store
        self._classes = {message.NAME: message for message in messages}
        self._schemas = {name: _schema_of(message) for name, message in self._classes.items()}
        self._upcasters = tuple(upcasters)
        self._prefixes: dict[str, bytes] = {}
        self._writers: dict[int, Writer] = {}
        self._refused: dict[int, str] = {}

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
            ValueError: a value does not fit the schema, such as a decimal with too many digits, or the class is a
                consumer's, which lacks what other consumers read.
        """
        name = message.NAME
        if message.READER is not None:
            raise ValueError(
                f"{name} as {message.READER} reads it cannot be written; use the whole message"
            )
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
        if writer.upcast_schema is not None:
            return message_class.from_avro(self._upcast(data, writer, writer.upcast_schema))
        return message_class.from_avro(self._read(data, writer, writer.reader))

    def unknown_schema_ids(self, values: Iterable[bytes | None]) -> set[int]:
        """Return the ids of writers' schemas that decoding these values would have to ask the registry for.

        Args:
            values: Record values; those that are no messages announce no id.
        """
        size = HEADER.size
        heads = {value[:size] for value in values if value}
        announced = (HEADER.unpack(head) for head in heads if len(head) == size)
        return {
            schema_id
            for magic, schema_id in announced
            if magic == MAGIC and schema_id not in self._writers
        }

    def learn(self, schema_id: int) -> None:
        """Look a writer's schema up now, so that decoding does not wait for the registry.

        That the registry does not hold the id is remembered too, until this is called again.

        Args:
            schema_id: Id as the bytes announce it.

        Raises:
            RegistryUnavailableError: the schema is not cached and the registry cannot be asked.
        """
        self._refused.pop(schema_id, None)
        try:
            self._writers[schema_id] = self._load(schema_id)
        except UndecodableError as error:
            self._refused[schema_id] = str(error)

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
            if schema_id in self._refused:
                raise UndecodableError(self._refused[schema_id])
            self._writers[schema_id] = self._load(schema_id)
        return self._writers[schema_id]

    def _load(self, schema_id: int) -> Writer:
        try:
            text = self._store.schema_of(schema_id)
        except UnknownSchemaError as error:
            raise UndecodableError(str(error)) from error
        try:
            document = json.loads(text)
            name, schema = fastavro.schema.fullname(document), fastavro.parse_schema(document)
        except Exception as error:  # whatever becomes of a JSON Schema, a .proto or a lone "string"
            raise UndecodableError(
                f"the schema of id {schema_id} is no Avro record: {error!r}"
            ) from error
        upcasters = tuple(
            each for each in self._upcasters if each.message == name and each.applies_to(document)
        )
        upcast_schema = fastavro.parse_schema(avsc(name)) if upcasters else None
        reader = self._schemas.get(name)
        return Writer(name, schema, None if reader == schema else reader, upcasters, upcast_schema)

    def _upcast(self, data: bytes, writer: Writer, current: ParsedSchema) -> Mapping[str, Any]:
        """Read as written, let the upcasters make a current datum of it, and resolve that to this reader's shape."""
        datum = self._read(data, writer, None)
        buffer = io.BytesIO()
        try:
            for upcaster in writer.upcasters:
                datum = upcaster.upcast(datum)
            fastavro.schemaless_writer(buffer, current, datum, strict=True)
        except Exception as error:  # an upcaster raises what it likes
            raise UndecodableError(f"an old {writer.name} was not upcast: {error!r}") from error
        return self._resolve(buffer.getvalue(), current, self._schemas[writer.name], writer.name)

    def _read(self, data: bytes, writer: Writer, reader: ParsedSchema | None) -> Mapping[str, Any]:
        return self._resolve(data, writer.schema, reader, writer.name, begin=HEADER.size)

    @staticmethod
    def _resolve(
        data: bytes, writer: ParsedSchema, reader: ParsedSchema | None, name: str, begin: int = 0
    ) -> Mapping[str, Any]:
        buffer = io.BytesIO(data)
        buffer.seek(begin)
        try:
            datum = fastavro.schemaless_reader(buffer, writer, reader)
        except Exception as error:  # fastavro raises whatever the corrupt bytes lead it to
            raise UndecodableError(f"not a datum of {name}: {error!r}") from error
        rest = len(data) - buffer.tell()
        if rest or not isinstance(datum, dict):
            raise UndecodableError(f"{rest} bytes are left over after a datum of {name}")
        return datum


def _schema_of(message: type[Message]) -> ParsedSchema:
    """Return the schema of a class: the message's own, or the one that a consumer pinned."""
    document = (
        avsc(message.NAME) if message.READER is None else reader_avsc(message.READER, message.NAME)
    )
    return fastavro.parse_schema(document)
