"""Reading fetched records although the name of a header is no UTF-8, which Kafka does not check.

aiokafka gives up on the whole batch, and would for ever. Here such a batch is read again, with those names escaped.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


class LenientRecords(_MemoryRecordsPy):  # type: ignore[misc]  # it is no more than said to be final
    """The batches of a fetched partition, as aiokafka's fetcher asks for them."""

    def next_batch(self, *arguments: Any) -> Any:
        """Return the next batch, which names of headers do not break; None when there is none."""
        data = self._next_slice
        batch = super().next_batch(*arguments)
        return _Lenient(batch, data) if isinstance(batch, DefaultRecordBatch) else batch


class _Lenient:
    """A batch that is read a second time where the first time fails."""

    def __init__(self, batch: Any, data: Any) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for record in self._batch:
                read += 1
                yield record
        except UnicodeDecodeError:
            again = iter(_EscapedNames(bytearray(self._data)))
            for number, record in enumerate(again):
                if number >= read:
                    yield record


class _EscapedNames(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch whose headers' names are decoded whatever they are."""

    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        if not isinstance(self._buffer, _Escaping):
            self._buffer = _Escaping(self._buffer)


class _Escaping(bytearray):
    """Bytes whose parts can all be decoded."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _Escaping(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")
