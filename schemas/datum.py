"""Avro datums out of bytes, each schema with the way to read it that was chosen once."""

import io
from typing import Any

import fastavro
from fastavro.types import Schema as ParsedSchema

from schemas import logical


class UndecodableError(ValueError):
    """The bytes are not a message: wrong magic byte, unknown schema id, or a datum that its schema does not fit."""


class DatumReader:
    """Reads records that one schema was used to write.

    Args:
        name: Full name of the record.
        writer: That schema, as `fastavro.parse_schema` returns it.
        reader: What they are resolved to; None to read them as they were written. A schema that equals the writer's
            counts as None: fastavro would find out anew for each datum that nothing is to be done.
    """

    def __init__(self, name: str, writer: ParsedSchema, reader: ParsedSchema | None = None) -> None:
        self._name = name
        self._reader = None if reader == writer else reader
        self._writer, self._finish = (
            logical.separate(writer) if self._reader is None else (writer, None)
        )

    def read(self, data: bytes, begin: int = 0) -> dict[str, Any]:
        """Return the record that the bytes hold.

        Args:
            data: The bytes; the record ends where they end.
            begin: Where it begins.

        Raises:
            UndecodableError: it does not fit the schema.
        """
        buffer = io.BytesIO(data)
        buffer.seek(begin)
        try:
            datum = fastavro.schemaless_reader(buffer, self._writer, self._reader)
            if self._finish is not None:
                datum = self._finish(datum)
        except Exception as error:  # fastavro raises whatever the corrupt bytes lead it to
            raise UndecodableError(f"not a datum of {self._name}: {error!r}") from error
        rest = len(data) - buffer.tell()
        if rest or not isinstance(datum, dict):
            raise UndecodableError(f"{rest} bytes are left over after a datum of {self._name}")
        return datum
