"""Avro datums out of bytes and into them, each schema with the way that was chosen once."""

import io
from collections.abc import Mapping
from typing import Any

from schemas.gate.avro.model import Record
from schemas.reading import Resolution
from schemas.wire import Wire
from schemas.writing import Writing


class UndecodableError(ValueError):
    """The bytes are not a message: wrong magic byte, unknown schema id, or a datum that its schema does not fit."""


class DatumReader:
    """Reads records that one schema was used to write.

    Args:
        reader: What they are resolved to; None to read them as they were written.
        tagged: Whether a value of a union of several types comes with the name of its type, as message classes want it.
    """

    def __init__(
        self, writer: Record, reader: Record | None = None, *, tagged: bool = False
    ) -> None:
        self._name = writer.name
        self._wire = Wire(writer)
        self._finish = Resolution(writer, self._wire, tagged=tagged).turn(reader or writer, writer)

    def read(self, data: bytes, begin: int = 0) -> dict[str, Any]:
        """Return the record that the bytes hold.

        Args:
            data: The bytes; the record ends where they end.
        """
        buffer = io.BytesIO(data)
        buffer.seek(begin)
        try:
            datum = self._wire.read(buffer)
            if self._finish is not None:
                datum = self._finish(datum)
        except Exception as error:  # fastavro raises whatever the corrupt bytes lead it to
            raise UndecodableError(f"not a datum of {self._name}: {error!r}") from error
        rest = len(data) - buffer.tell()
        if rest or not isinstance(datum, dict):
            raise UndecodableError(f"{rest} bytes are left over after a datum of {self._name}")
        return datum


class DatumWriter:
    """Writes records of one schema."""

    def __init__(self, schema: Record) -> None:
        self._name = schema.name
        self._wire = Wire(schema, deepest=None)
        self._turn = Writing(self._wire).turn(schema)
        self._again = DatumReader(schema) if Wire(schema).is_recursive else None

    def write(self, datum: Mapping[str, Any], before: bytes = b"") -> bytes:
        """Return a record's bytes.

        Raises:
            ValueError: a value does not fit its type.
        """
        try:
            plain = self._turn(datum)
        except RecursionError as error:
            raise ValueError(f"{self._name} is nested too deeply to be read again") from error
        buffer = io.BytesIO()
        buffer.write(before)
        self._wire.write(buffer, plain)
        data = buffer.getvalue()
        if self._again is not None:
            self._again.read(data, len(before))
        return data
