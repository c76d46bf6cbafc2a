"""Batches of records that hold the name of a header which is no UTF-8; other clients than Java's write such."""

from typing import Any

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.memory_records import MemoryRecords

from consumers.runtime.lenient import LenientRecords

NONE, GZIP, LZ4 = 0, 1, 3


class NoUtf8(str):
    """A name that is written as other bytes."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfename"


def batch(compression: int, name: str) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, 0, 1 << 20)
    builder.append(0, 1, b"k", b"v0", [("ok", b"1")])
    builder.append(1, 1, b"k", b"v1", [(name, b"1"), ("ok", None)])
    builder.append(2, 1, None, None, [])
    return bytes(builder.build())


def read(records: Any) -> list[tuple[Any, ...]]:
    found = []
    while records.has_next():
        one = records.next_batch()
        assert one.validate_crc()
        assert not one.is_control_batch
        found += [(each.offset, each.key, each.value, list(each.headers)) for each in one]
        assert one.next_offset == 3
    return found


@pytest.mark.parametrize("compression", [NONE, GZIP, LZ4])
def test_a_name_that_is_no_utf8_is_escaped_and_the_batch_is_read(compression: int) -> None:
    data = batch(compression, NoUtf8("x"))
    with pytest.raises(UnicodeDecodeError):
        read(MemoryRecords(data))
    assert read(LenientRecords(data)) == [
        (0, b"k", b"v0", [("ok", b"1")]),
        (1, b"k", b"v1", [("\\xff\\xfename", b"1"), ("ok", None)]),
        (2, None, None, []),
    ]


@pytest.mark.parametrize("compression", [NONE, GZIP, LZ4])
def test_any_other_batch_is_read_as_before(compression: int) -> None:
    data = batch(compression, "näme")
    assert read(LenientRecords(data)) == read(MemoryRecords(data))
