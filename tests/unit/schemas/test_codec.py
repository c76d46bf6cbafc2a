"""The codec: the Confluent wire format there and back, and what it refuses."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import HEADER, Codec
from schemas.contracts import avsc, canonical, fingerprint, readers
from schemas.datum import UndecodableError
from schemas.gate.avro.parse import parse
from schemas.gate.avro.resolution import check
from schemas.message import Message
from schemas.messages import ALL, as_read_by_analytics_worker
from schemas.messages.canary import CanaryEmitted
from schemas.messages.orders import OrderCreated, OrderLine
from schemas.messages.payments import DeclineReason, PaymentFailed
from schemas.registry import RegistryUnavailableError, SchemaStore
from schemas.upcasting import Upcaster

NOBODY_LISTENS = "http://127.0.0.1:9/apis/ccompat/v7"
AMOUNTS = st.decimals(min_value=0, max_value=Decimal(10) ** 14, places=4, allow_nan=False)
INSTANTS = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    timezones=st.just(UTC),
)

Seed = Callable[[int, str], None]


@pytest.fixture
def store(tmp_path: Path) -> SchemaStore:
    return SchemaStore(NOBODY_LISTENS, tmp_path)


@pytest.fixture
def seed(store: SchemaStore) -> Seed:
    """Keep a schema in the cache on disk, as an earlier run of the program would have left it."""
    store.directory.mkdir()

    def keep(schema_id: int, schema: str) -> None:
        (store.directory / f"{fingerprint(schema)}.id").write_text(str(schema_id))
        (store.directory / f"{schema_id}.avsc").write_text(schema)

    return keep


@pytest.fixture
def codec(store: SchemaStore, seed: Seed) -> Codec:
    for schema_id, message in enumerate(ALL, start=1):
        seed(schema_id, canonical(message.NAME))
    return Codec(store, ALL)


def order(total: Decimal = Decimal("25.0000"), sku: str = "book") -> OrderCreated:
    line = OrderLine(sku=sku, quantity=2, unit_price=Decimal("12.5000"))
    return OrderCreated(
        order_id=UUID(int=1),
        customer_id="ada",
        currency="EUR",
        lines=(line,),
        total=total,
        placed_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    )


def test_a_message_comes_back_as_it_was(codec: Codec) -> None:
    assert codec.decode(codec.encode(order())) == order()


def test_an_enum_comes_back_as_its_member(codec: Codec) -> None:
    failed = PaymentFailed(
        payment_id=UUID(int=1),
        order_id=UUID(int=2),
        currency="EUR",
        amount=Decimal("1.0000"),
        reason=DeclineReason.LIMIT_EXCEEDED,
        failed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert codec.decode(codec.encode(failed)) == failed


@given(amount=AMOUNTS, at=INSTANTS, sku=st.text())
def test_any_message_comes_back_as_it_was(
    roomy_codec: Codec, amount: Decimal, at: datetime, sku: str
) -> None:
    message = OrderCreated(
        order_id=UUID(int=7),
        customer_id=sku,
        currency="EUR",
        lines=(OrderLine(sku=sku, quantity=1, unit_price=amount),),
        total=amount,
        placed_at=at,
    )
    assert roomy_codec.decode(roomy_codec.encode(message)) == message


@pytest.fixture(scope="module")
def roomy_codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """A codec for many examples of one test, which a fixture made for each test could not serve."""
    store = SchemaStore(NOBODY_LISTENS, tmp_path_factory.mktemp("schemas"))
    store.directory.mkdir()
    schema = canonical(OrderCreated.NAME)
    (store.directory / f"{fingerprint(schema)}.id").write_text("1")
    (store.directory / "1.avsc").write_text(schema)
    return Codec(store, [OrderCreated])


def test_bytes_begin_with_zero_and_the_schema_id(codec: Codec) -> None:
    assert codec.encode(order())[:5] == b"\x00\x00\x00\x00\x01"


def test_a_new_field_of_the_writer_is_passed_over(codec: Codec, seed: Seed) -> None:
    newer = avsc(CanaryEmitted.NAME)
    newer["fields"].append({"name": "note", "type": "string", "default": ""})
    seed(99, json.dumps(newer))
    canary = CanaryEmitted(canary_id=UUID(int=3), emitted_at=datetime(2026, 1, 1, tzinfo=UTC))
    written = HEADER.pack(0, 99) + codec.encode(canary)[HEADER.size :] + b"\x08note"
    assert codec.decode(written) == canary
    assert codec.decode_datum(written)[1]["note"] == "note"


def test_a_consumer_reads_only_the_fields_it_pinned(store: SchemaStore, codec: Codec) -> None:
    read = Codec(store, [as_read_by_analytics_worker.OrderCreated]).decode(codec.encode(order()))
    assert read == as_read_by_analytics_worker.OrderCreated(
        currency="EUR", placed_at=order().placed_at
    )


def test_the_shape_of_a_consumer_cannot_be_written(store: SchemaStore) -> None:
    message = as_read_by_analytics_worker.OrderCreated(
        currency="EUR", placed_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    with pytest.raises(ValueError, match="analytics-worker"):
        Codec(store, [as_read_by_analytics_worker.OrderCreated]).encode(message)


def test_every_shape_that_a_consumer_pins_reads_the_message_of_today() -> None:
    for pinned in readers():
        assert list(check(parse(pinned.schema), parse(avsc(pinned.message)))) == []


def test_an_upcaster_bridges_what_avro_cannot(store: SchemaStore, seed: Seed) -> None:
    """Once the canary told the day and the second of the day; today it tells the instant."""
    fields = [
        {"name": "canary_id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "second", "type": "int"},
    ]
    old = {"type": "record", "name": "CanaryEmitted", "namespace": "canary", "fields": fields}
    seed(50, json.dumps(old))
    written = bytes.fromhex("0000000032") + bytes([72]) + str(UUID(int=5)).encode()
    written += bytes.fromhex("bac402") + bytes.fromhex("a038")

    def tell_the_instant(datum: Mapping[str, Any]) -> dict[str, Any]:
        at = datetime.combine(datum["day"], time(tzinfo=UTC)) + timedelta(seconds=datum["second"])
        return {"canary_id": datum["canary_id"], "emitted_at": at}

    upcaster = Upcaster(
        message="canary.CanaryEmitted", written_without="emitted_at", upcast=tell_the_instant
    )
    with pytest.raises(UndecodableError, match="emitted_at"):
        Codec(store, [CanaryEmitted], upcasters=[]).decode(written)
    read = Codec(store, [CanaryEmitted], upcasters=[upcaster]).decode(written)
    expected = datetime(1970, 1, 1, 1, tzinfo=UTC) + timedelta(days=20_765)
    assert read == CanaryEmitted(canary_id=UUID(int=5), emitted_at=expected)


def test_an_upcaster_leaves_new_events_alone(store: SchemaStore, codec: Codec) -> None:
    def spoil(datum: Mapping[str, Any]) -> dict[str, Any]:
        raise AssertionError(datum)

    upcaster = Upcaster(message=OrderCreated.NAME, written_without="total", upcast=spoil)
    assert (
        Codec(store, [OrderCreated], upcasters=[upcaster]).decode(codec.encode(order())) == order()
    )


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: b"", "too few"),
        (lambda data: b"\x01" + data[1:], "magic byte"),
        (lambda data: data[:-3], "not a datum"),
        (lambda data: data + b"\x00", "left over"),
        (lambda data: data[: HEADER.size], "not a datum"),
    ],
)
def test_spoilt_bytes_are_refused_with_the_reason(
    codec: Codec, spoil: Callable[[bytes], bytes], reason: str
) -> None:
    with pytest.raises(UndecodableError, match=reason):
        codec.decode(spoil(codec.encode(order())))


def test_a_message_nobody_asked_for_is_refused_by_name(store: SchemaStore, codec: Codec) -> None:
    with pytest.raises(UndecodableError, match=r"orders\.OrderCreated"):
        Codec(store, [CanaryEmitted]).decode(codec.encode(order()))


@pytest.mark.parametrize(
    "broken",
    [order(total=Decimal("0.00001")), order(total=Decimal(10) ** 16), order(sku=None)],  # type: ignore[arg-type]
)
def test_a_value_that_does_not_fit_the_schema_is_refused(codec: Codec, broken: Message) -> None:
    with pytest.raises(ValueError, match=r"fit|precision|'NoneType'|None"):
        codec.encode(broken)


def test_what_is_cached_needs_no_registry_and_what_is_not_says_so(
    store: SchemaStore, codec: Codec
) -> None:
    codec.resolve()
    with pytest.raises(RegistryUnavailableError, match="127"):
        store.schema_of(4711)


def test_an_upcaster_that_fails_makes_its_event_undecodable_and_no_other(
    store: SchemaStore, codec: Codec, seed: Seed
) -> None:
    def fail(_: Mapping[str, Any]) -> dict[str, Any]:
        raise KeyError("total")

    old = avsc(CanaryEmitted.NAME)
    old["fields"] = [field for field in old["fields"] if field["name"] != "emitted_at"]
    seed(50, json.dumps(old))
    upcaster = Upcaster(message=CanaryEmitted.NAME, written_without="emitted_at", upcast=fail)
    reading = Codec(store, [CanaryEmitted], upcasters=[upcaster])
    with pytest.raises(UndecodableError, match=r"an old canary\.CanaryEmitted was not upcast"):
        reading.decode(HEADER.pack(0, 50) + b"\x48" + str(UUID(int=1)).encode())
    new = CanaryEmitted(canary_id=UUID(int=1), emitted_at=datetime(2026, 1, 2, tzinfo=UTC))
    assert reading.decode(codec.encode(new)) == new


@pytest.mark.parametrize("schema", ['"string"', '{"type": "object"}', 'syntax = "proto3";', "[]"])
def test_a_schema_that_is_no_avro_record_makes_no_message(
    store: SchemaStore, seed: Seed, schema: str
) -> None:
    seed(50, schema)
    reading = Codec(store, [CanaryEmitted])
    with pytest.raises(UndecodableError, match="the schema of id 50 is no Avro record"):
        reading.decode(HEADER.pack(0, 50) + b"datum")
    reading.learn(50)
    with pytest.raises(UndecodableError, match="the schema of id 50 is no Avro record"):
        reading.decode(HEADER.pack(0, 50) + b"datum")
