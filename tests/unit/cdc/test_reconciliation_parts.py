"""The parts of reconciliation that need nothing running."""

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

import pytest

from cdc.envelope import OutboxRow
from cdc.ids import new_id
from cdc.kafka_record import KafkaRecord
from cdc.partitioning import _murmur2
from cdc.reconciliation.fingerprints import Fingerprint, fingerprint
from cdc.reconciliation.outboxes import Window
from cdc.reconciliation.records import TimeBounds, id_of, spooled
from cdc.reconciliation.spool import Spool, SpooledRecord
from cdc.records import record_of

ROW = OutboxRow(
    seq=7,
    id=UUID("01a20999-13c2-7477-bc0d-7ecf0b47d38d"),
    topic="order.events",
    aggregate_id="order-1",
    payload=b"\x00\x00\x00\x00\x01bytes \xff",
    type="orders.OrderCreated",
    source="/orders",
    specversion="1.0",
    occurred_at=datetime(2026, 3, 4, 5, 6, 7, 120000, tzinfo=UTC),
    correlation_id=UUID(int=1),
    causation_id=None,
    aggregate_version=1,
    traceparent=None,
)


@pytest.mark.parametrize(
    ("key", "number"),
    # of Kafka's own UtilsTest
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_keys_are_hashed_as_kafka_does(key: str, number: int) -> None:
    assert _murmur2(key.encode()) == number % 2**32


def test_a_fingerprint_tells_which_part_differs() -> None:
    headers = [("a", b"1"), ("b", b"2"), ("c", None)]
    record = fingerprint(b"key", b"value", headers)
    for same in (headers, headers[:2], [("d", None), *headers]):
        assert record == fingerprint(b"key", b"value", same)
    for other, parts in {
        fingerprint(b"kez", b"value", headers): ["key"],
        fingerprint(b"key", None, headers): ["value"],
        fingerprint(b"key", b"value", [("b", b"2"), ("a", b"1")]): ["headers"],
        fingerprint(b"key", b"value", [*headers[:2], ("c", b"")]): ["headers"],
        fingerprint(b"key", b"value", [("a", b"1b"), ("", b"2")]): ["headers"],
        fingerprint(None, b"", headers): ["key", "value"],
    }.items():
        assert record.differing(other) == parts


@pytest.mark.parametrize(
    "header", [None, b"", b"x" * 36, b"01a20999-13c2-7477-bc0d-7ecf0b47d38", b"-" * 36]
)
def test_what_is_no_id_is_none(header: bytes | None) -> None:
    assert id_of(header) is None


def test_an_id_is_read_from_its_header() -> None:
    assert id_of(str(ROW.id).encode()) == ROW.id.bytes


@pytest.mark.parametrize(
    "version",
    [
        b"7" * 5000,
        b"9" * 19,
        b"9" * 20,
        "\u0663".encode(),
        b"\xff",
        b"-1",
        b"+1",
        b"1_0",
        b" 1",
        b"",
    ],
)
def test_a_version_that_no_row_could_have_is_none_and_is_kept_with_the_rest(version: bytes) -> None:
    assert [each.version for each in kept({"aggregate_version": version})] == [None]


@pytest.mark.parametrize("version", [b"1", b"007", b"9" * 18])
def test_a_version_is_read_from_its_header(version: bytes) -> None:
    assert [each.version for each in kept({"aggregate_version": version})] == [int(version)]


@pytest.mark.parametrize(
    "headers",
    [
        {"expires_at": b"0001-01-01T00:00:00+23:59"},
        {"expires_at": b"9999-12-31T23:59:59-23:59"},
        {"expires_at": b"1" * 5000},
        {"expires_at": b"\xff\x00"},
        {"ce_time": b"\xff" * 5000},
        {"ce_type": b"\x00\xff" * 5000},
        {"ce_type": b"", "aggregate_version": b"\x00"},
    ],
)
def test_whatever_headers_hold_a_record_is_kept(headers: dict[str, bytes]) -> None:
    assert len(kept(headers)) == 1


def kept(headers: dict[str, bytes]) -> list[SpooledRecord]:
    """Return what is kept of a foreign record with these headers, once a spool has taken it."""
    pairs = [("ce_id", str(ROW.id).encode()), *headers.items()]
    foreign = KafkaRecord("t", 0, 1, 0, b"key", b"value", pairs)
    with Spool("t") as spool:
        found = list(spooled([foreign], TimeBounds.of(Window()), spool))
        spool.add_records(found)
        return found


def test_a_missing_row_comes_out_of_the_spool_as_the_record_it_becomes() -> None:
    record = record_of(ROW)
    with Spool(ROW.topic) as spool:
        spool.add_missing([("orders", ROW, fingerprint(record.key, record.value, record.headers))])
        [missing] = spool.missing()
        assert missing.record == record
        assert (missing.message_id, missing.source, missing.seq) == (ROW.id, "orders", 7)
        assert spool.take_missing(ROW.id.bytes) is not None
        assert spool.take_missing(ROW.id.bytes) is None
        assert spool.count_missing() == 0


def test_a_copy_of_a_record_breaks_no_order_and_a_late_version_does() -> None:
    first, second, third = (new_id().bytes for _ in range(3))
    places = [(first, 0, 1), (third, 1, 3), (first, 2, 1), (second, 3, 2)]
    with Spool("t") as spool:
        spool.add_records(record(each, offset, version) for each, offset, version in places)
        spool.sort_records()
        seen: set[bytes] = set()
        for number, id_, *_ in spool.records_by_id():
            if id_ in seen:
                spool.note_repeated([number])
            seen.add(id_)
        assert list(spool.disordered()) == [(second, 0, 3, 2, 3)]


def test_memory_does_not_grow_with_what_is_compared() -> None:
    def peak(number: int) -> int:
        tracemalloc.start()
        with Spool("t") as spool:
            made = records(number)
            for _ in range(0, number, 2000):
                spool.add_records(islice(made, 2000))
            spool.sort_records()
            assert sum(1 for _ in spool.records_by_id()) == number
            assert list(spool.disordered()) == []
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    # kept as they are, they would take several megabytes
    assert peak(40_000) < 500_000


def test_findings_are_taken_out_in_parts_and_those_found_meanwhile_stay() -> None:
    ids = [new_id().bytes for _ in range(5)]
    with Spool("t") as spool:
        spool.find_many((kind, each, "1/2") for each in ids for kind in ("other", "phantom"))
        taken = []
        for part in spool.take_findings("phantom", 2):
            taken.append([found for found, _ in part])
            spool.find_many(("phantom", each, detail) for each, detail in part)
        assert taken == [ids[:2], ids[2:4], ids[4:]]
        assert spool.counts() == {"other": 5, "phantom": 5}


def record(message_id: bytes, offset: int, version: int) -> SpooledRecord:
    digests = Fingerprint(b"k" * 8, b"v" * 8, b"h" * 8)
    return SpooledRecord(message_id, 0, offset, 0, version, *digests)


def records(number: int) -> Iterator[SpooledRecord]:
    return (record(new_id().bytes, each, each + 1) for each in range(number))
