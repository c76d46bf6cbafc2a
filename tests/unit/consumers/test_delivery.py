"""What a consumer reads off a record's headers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from consumers.runtime.delivery import Delivery, MalformedRecordError

HEADERS = {
    "ce_id": "01a20989-3ed0-7084-90ee-0d59a4a3e1b5",
    "ce_type": "orders.OrderCreated",
    "correlation_id": "01a20989-3ed0-7084-90ee-0d59a4a3e1b6",
}


@dataclass
class StoredRecord:
    headers: Sequence[tuple[str, bytes | None]]
    topic: str = "order.events"
    partition: int = 3
    offset: int = 42
    timestamp: int = 0
    timestamp_type: int = 0
    key: bytes | None = b"order-1"
    value: bytes | None = field(default=b"")


def record(headers: dict[str, str], *more: tuple[str, bytes | None]) -> StoredRecord:
    return StoredRecord([*((name, value.encode()) for name, value in headers.items()), *more])


def test_a_delivery_knows_its_message_and_its_place() -> None:
    delivery = Delivery.of(record(HEADERS, ("traceparent", None)))
    assert delivery.message_id == UUID(HEADERS["ce_id"])
    assert (delivery.type, delivery.key, delivery.offset) == ("orders.OrderCreated", "order-1", 42)
    assert delivery.context.traceparent is None


def test_a_reaction_is_caused_by_the_message_and_keeps_the_correlation() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    reaction = Delivery.of(record(HEADERS | {"traceparent": trace})).reaction()
    assert reaction.causation_id == UUID(HEADERS["ce_id"])
    assert reaction.correlation_id == UUID(HEADERS["correlation_id"])
    assert (reaction.traceparent or "").split("-")[1] == trace.split("-")[1]


@pytest.mark.parametrize("missing", HEADERS)
def test_a_record_without_a_needed_header_is_refused_with_its_place(missing: str) -> None:
    with pytest.raises(MalformedRecordError, match=r"order\.events/3/42"):
        Delivery.of(record({name: HEADERS[name] for name in HEADERS if name != missing}))


def test_an_id_that_is_none_is_refused() -> None:
    with pytest.raises(MalformedRecordError):
        Delivery.of(record(HEADERS | {"ce_id": "seven"}))
