"""What a consumer reads off a record's headers."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from cdc.kafka_record import KafkaRecord
from consumers.runtime.delivery import Delivery, MalformedRecordError

HEADERS = {
    "ce_id": "01a20989-3ed0-7084-90ee-0d59a4a3e1b5",
    "ce_type": "orders.OrderCreated",
    "correlation_id": "01a20989-3ed0-7084-90ee-0d59a4a3e1b6",
}


def record(headers: dict[str, str], *more: tuple[str, bytes | None]) -> KafkaRecord:
    return KafkaRecord(
        topic="order.events",
        partition=3,
        offset=42,
        timestamp=1_500,
        key=b"order-1",
        value=b"",
        headers=[*((name, value.encode()) for name, value in headers.items()), *more],
    )


def test_a_delivery_knows_its_message_and_its_place() -> None:
    delivery = Delivery.of(record(HEADERS, ("traceparent", None)))
    assert delivery.message_id == UUID(HEADERS["ce_id"])
    assert (delivery.type, delivery.key, delivery.offset) == ("orders.OrderCreated", "order-1", 42)
    assert delivery.recorded_at == datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)
    assert delivery.context.traceparent is None
    assert (delivery.aggregate_version, delivery.attempt) == (None, 1)


def test_a_delivery_knows_which_attempt_it_is_and_the_version_of_its_aggregate() -> None:
    delivery = Delivery.of(record(HEADERS | {"aggregate_version": "7"}), attempt=3)
    assert (delivery.aggregate_version, delivery.attempt) == (7, 3)


@pytest.mark.parametrize("missing", HEADERS)
def test_a_record_without_a_needed_header_is_refused_with_its_place(missing: str) -> None:
    with pytest.raises(MalformedRecordError, match=r"order\.events/3/42"):
        Delivery.of(record({name: HEADERS[name] for name in HEADERS if name != missing}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_id", "seven"),
        ("correlation_id", "none"),
        ("causation_id", "nobody"),
        ("aggregate_version", "first"),
    ],
)
def test_a_header_that_is_not_what_it_should_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(MalformedRecordError, match=r"order\.events/3/42"):
        Delivery.of(record(HEADERS | {name: value}))


@pytest.mark.parametrize("changes", [{"key": b"\xff"}, {"timestamp": 2**62}])
def test_a_record_that_no_outbox_has_written_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedRecordError):
        Delivery.of(record(HEADERS)._replace(**changes))
