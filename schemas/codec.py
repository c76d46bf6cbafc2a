"""Messages to bytes and back, in the Confluent wire format: a zero byte, the schema id, the Avro datum.

The format is described under "Wire format" in the documentation of Confluent Schema Registry.
"""

import json
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.contracts import avsc, reader_avsc
from schemas.datum import DatumReader, DatumWriter, UndecodableError
from schemas.gate.avro.model import Record
from schemas.gate.avro.parse import record
from schemas.message import Message
from schemas.registry import Schemas, UnknownSchemaError
from schemas.upcasting import UPCASTERS, Upcaster

MAGIC = 0
HEADER = struct.Struct(">bI")


def announced_id(data: bytes) -> int:
    """Return the id of the schema that bytes were written with.

    Raises:
        UndecodableError: they are not in the wire format.
    """
    if len(data) < HEADER.size:
        raise UndecodableError(f"{len(data)} bytes are too few for a magic byte and a schema id")
    magic, schema_id = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise UndecodableError(f"the first byte is {magic}, not the magic byte {MAGIC}")
    return int(schema_id)


@dataclass(frozen=True, slots=True)
class Writer:
    """A schema that messages were written with, and the ways to read them."""

    name: str
    as_written: DatumReader
    # the class to make of them; None when this program reads no such message
    message: type[Message] | None
    # Reads the fields in this program's shape: resolved to it, and upcast where the schema's age calls for it.
    # Takes the bytes, and where in them the datum begins.
    read: Callable[[bytes, int], Mapping[str, Any]]


class Codec:
    """Encodes messages, and decodes them to the shape that this code was built with.

    Args:
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
        self._store = store
        self._classes = {message.NAME: message for message in messages}
        self._schemas = {name: _schema_of(message) for name, message in self._classes.items()}
        self._encoders: dict[str, DatumWriter] = {}
        self._upcasters = tuple(upcasters)
        self._prefixes: dict[str, bytes] = {}
        self._writers: dict[bytes, Writer] = {}
        self._refused: dict[bytes, str] = {}

    def resolve(self) -> None:
        """Look up the id of every schema now, so that no later write waits for the registry.

        Raises:
            UnknownSchemaError: a schema was never published.
        """
        for name in self._classes:
            self._prefixes[name] = HEADER.pack(MAGIC, self._store.id_of(name))

    def encode(self, message: Message) -> bytes:
        """Return a message's bytes.

        Raises:
            ValueError: a value does not fit the schema, such as a decimal with too many digits, or the class was not
                given, or is a consumer's, which lacks what other consumers read.
        """
        name = message.NAME
        if message.READER is not None:
            raise ValueError(
                f"{name} as {message.READER} reads it cannot be written; use the whole message"
            )
        if name not in self._classes:
            raise ValueError(f"{name} is not among the messages that this program declares to send")
        if name not in self._prefixes:
            self._prefixes[name] = HEADER.pack(MAGIC, self._store.id_of(name))
        if name not in self._encoders:
            self._encoders[name] = DatumWriter(self._schemas[name])
        try:
            return self._encoders[name].write(message.to_avro(), self._prefixes[name])
        except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"{name} does not fit its schema: {error}") from error

    def decode(self, data: bytes) -> Message:
        """Return the message that the bytes hold, resolved from the writer's schema to this code's.

        Raises:
            UndecodableError: the bytes are no message of a class that this codec knows.
        """
        writer = self._writers.get(data[: HEADER.size]) or self._writer(data)
        if writer.message is None:
            raise UndecodableError(f"{writer.name} is not a message this program reads")
        return writer.message.from_avro(writer.read(data, HEADER.size))

    def unknown_schema_ids(self, values: Iterable[bytes | None]) -> set[int]:
        """Return the ids of writers' schemas that decoding these values would have to ask the registry for.

        Args:
            values: Record values; those that are no messages announce no id.
        """
        size = HEADER.size
        heads = {value[:size] for value in values if value} - self._writers.keys()
        announced = (HEADER.unpack(head) for head in heads if len(head) == size)
        return {schema_id for magic, schema_id in announced if magic == MAGIC}

    def learn(self, schema_id: int) -> None:
        """Look a writer's schema up now, so that decoding does not wait for the registry.

        That the registry does not hold the id is remembered too, until this is called again.
        """
        head = HEADER.pack(MAGIC, schema_id)
        self._refused.pop(head, None)
        try:
            self._writers[head] = self._load(schema_id)
        except UndecodableError as error:
            self._refused[head] = str(error)

    def decode_datum(self, data: bytes) -> tuple[str, Mapping[str, Any]]:
        """Return the record name and the fields as they were written, for messages of any kind.

        Raises:
            UndecodableError: the bytes are no Avro record in the wire format.
        """
        writer = self._writer(data)
        return writer.name, writer.as_written.read(data, HEADER.size)

    def _writer(self, data: bytes) -> Writer:
        schema_id = announced_id(data)
        head = data[: HEADER.size]
        if head not in self._writers:
            if head in self._refused:
                raise UndecodableError(self._refused[head])
            self._writers[head] = self._load(schema_id)
        return self._writers[head]

    def _load(self, schema_id: int) -> Writer:
        try:
            text = self._store.schema_of(schema_id)
        except UnknownSchemaError as error:
            raise UndecodableError(str(error)) from error
        try:
            document = json.loads(text)
            schema = record(document)
        except Exception as error:  # whatever becomes of a JSON Schema, a .proto or a lone "string"
            raise UndecodableError(
                f"the schema of id {schema_id} is no Avro record: {error!r}"
            ) from error
        name, as_written = schema.name, DatumReader(schema)
        ours, message = self._schemas.get(name), self._classes.get(name)
        if ours is None:
            return Writer(name, as_written, message, as_written.read)
        upcasters = [
            each for each in self._upcasters if each.message == name and each.applies_to(document)
        ]
        read = (
            self._upcasting(as_written, upcasters, name, ours)
            if upcasters
            else DatumReader(schema, ours, tagged=message is not None).read
        )
        return Writer(name, as_written, message, read)

    def _upcasting(
        self, as_written: DatumReader, upcasters: Sequence[Upcaster], name: str, ours: Record
    ) -> Callable[[bytes, int], Mapping[str, Any]]:
        """Return a function that reads as written, has a current datum made of it, and resolves that to our shape."""
        current = record(avsc(name))
        upcast = DatumWriter(current)
        resolved = DatumReader(current, ours, tagged=name in self._classes)

        def read(data: bytes, begin: int) -> Mapping[str, Any]:
            datum: Mapping[str, Any] = as_written.read(data, begin)
            try:
                for upcaster in upcasters:
                    datum = upcaster.upcast(datum)
                data = upcast.write(datum)
            except Exception as error:  # an upcaster raises what it likes
                raise UndecodableError(f"an old {name} was not upcast: {error!r}") from error
            return resolved.read(data)

        return read


def _schema_of(message: type[Message]) -> Record:
    """Return the schema of a class: the message's own, or the one that a consumer pinned."""
    return record(
        avsc(message.NAME) if message.READER is None else reader_avsc(message.READER, message.NAME)
    )
