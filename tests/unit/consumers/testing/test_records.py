"""Records made of messages as their senders would have them, and schema ids without a registry."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from cdc.ids import new_id
from consumers.runtime.delivery import Delivery
from consumers.testing.log import Log
from consumers.testing.records import NewRecord, deliver
from consumers.testing.schemas import LocalSchemas, codec_of_all
from schemas.contracts import canonical
from schemas.messages import as_read_by_payments_worker
from schemas.messages.consumers import MessageDeadLettered, ParkingReason
from schemas.messages.orders import OrderCreated
from schemas.registry import UnknownSchemaError


def order(**changes: Any) -> OrderCreated:
    fields: dict[str, Any] = {
        "order_id": new_id(),
        "customer_id": "ada",
        "currency": "EUR",
        "lines": (),
        "total": Decimal(5),
        "placed_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return OrderCreated(**fields | changes)


def keyed(key: bytes | None, record: NewRecord | None = None) -> NewRecord:
    return replace(record or deliver(order()), key=key)


def test_a_record_carries_what_the_outbox_and_the_connector_give_it() -> None:
    placed, message_id, correlation_id = order(), new_id(), new_id()
    record = deliver(placed, message_id=message_id, correlation_id=correlation_id)
    assert (record.topic, record.type) == ("order.events", "orders.OrderCreated")
    assert record.key == str(placed.order_id).encode()
    assert codec_of_all().decode(record.value or b"") == placed
    delivery = Delivery.of(Log().append(record))
    assert (delivery.message_id, delivery.context.correlation_id) == (message_id, correlation_id)
    assert delivery.context.traceparent is not None
    assert dict(record.headers)["ce_source"] == b"/orders"


def test_each_record_is_a_message_of_its_own_unless_it_is_given_an_id() -> None:
    placed = order()
    first, second = (Delivery.of(Log().append(deliver(placed))) for _ in range(2))
    assert first.message_id != second.message_id


def test_a_key_that_cannot_be_known_must_be_said() -> None:
    letter = MessageDeadLettered(
        consumer="c",
        topic="t",
        partition=0,
        offset=0,
        reason=ParkingReason.FAILED,
        error_class="",
        error_text="",
        attempts=1,
    )
    with pytest.raises(ValueError, match=r"no deadletter_id .* deliver\(message, key=\.\.\.\)"):
        deliver(letter)
    assert deliver(letter, key="k").key == b"k"


def test_what_does_not_fit_its_schema_cannot_be_delivered() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        deliver(order(total=Decimal("1.23456")))


def test_the_shape_that_one_consumer_reads_is_not_what_is_sent() -> None:
    shape = as_read_by_payments_worker.OrderCreated(
        order_id=new_id(), customer_id="ada", currency="EUR", total=Decimal(5)
    )
    with pytest.raises(ValueError, match="payments-worker reads it cannot be written"):
        deliver(shape)


def test_headers_can_be_changed_added_and_left_out() -> None:
    record = deliver(order())
    headers = dict(record.headers_with(ce_id="seven", strange=b"\xff", ce_type=None))
    assert (headers["ce_id"], headers["strange"]) == (b"seven", b"\xff")
    assert "ce_type" not in headers
    assert set(headers) - {"strange"} == set(dict(record.headers)) - {"ce_type"}


def test_the_messages_of_the_catalogue_have_ids() -> None:
    schemas = LocalSchemas()
    schema_id = schemas.id_of("orders.OrderCreated")
    assert schemas.schema_of(schema_id) == canonical("orders.OrderCreated")
    with pytest.raises(UnknownSchemaError):
        schemas.id_of("nobody.Knows")
    for unknown in (0, 1000):
        with pytest.raises(UnknownSchemaError):
            schemas.schema_of(unknown)


def test_a_log_keeps_the_records_of_a_key_in_one_partition() -> None:
    log = Log(4)
    places = {
        key: {log.append(keyed(key.encode())).partition for _ in range(3)} for key in "abcdefgh"
    }
    assert all(len(partitions) == 1 for partitions in places.values())
    assert len(log.places) > 1
    offsets = [record.offset for record in log.fetch(log.places[0], 0, 100)]
    assert offsets == list(range(log.end(log.places[0])))
    assert log.fetch(log.places[0], 1, 1)[0].offset == 1


def test_a_log_spreads_records_without_a_key() -> None:
    log = Log(2, first=5)
    assert {log.append(keyed(None)).partition for _ in range(4)} == {5, 6}
