"""Bytes written by every version of every schema so far, and what today's classes must make of them.

The files under `schemas/golden/` are records of the past. A new version of a schema gets a file of its own; an old
file changes only when what old bytes mean is to change.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from schemas.catalogue import catalogue
from schemas.codec import HEADER, Codec
from schemas.contracts import goldens
from schemas.message import Message
from schemas.messages import ALL
from schemas.messages.canary import CanaryEmitted
from schemas.messages.consumers import MessageDeadLettered, ParkingReason
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderLine
from schemas.messages.payments import DeclineReason, PaymentCompleted, PaymentFailed
from schemas.registry import SchemaStore

ORDER = UUID("01a20999-13c2-7477-bc0d-000000000001")
PAYMENT = UUID("01a20999-13c2-7477-bc0d-000000000002")
AT = datetime(2026, 11, 23, 18, 9, 16, 738443, tzinfo=UTC)

EXPECTED: dict[str, Message] = {
    "orders.OrderCreated.v1": OrderCreated(
        order_id=ORDER,
        customer_id="Ada Löwe",
        currency="EUR",
        lines=(
            OrderLine(sku="book-1", quantity=2, unit_price=Decimal("12.5")),
            OrderLine(sku="gift-0", quantity=1, unit_price=Decimal(0)),
        ),
        total=Decimal(25),
        placed_at=AT,
    ),
    "orders.OrderCreated.v2": OrderCreated(
        order_id=ORDER,
        customer_id="Ada Löwe",
        currency="EUR",
        lines=(
            OrderLine(
                sku="book-1",
                quantity=3,
                unit_price=Decimal("9.99"),
                tax_rate=Decimal("0.07"),
                tax=Decimal("2.1"),
            ),
            OrderLine(
                sku="gift-0",
                quantity=1,
                unit_price=Decimal(0),
                tax_rate=Decimal(0),
                tax=Decimal(0),
            ),
            OrderLine(sku="map-1", quantity=1, unit_price=Decimal("5.5")),
        ),
        total=Decimal("37.57"),
        placed_at=AT,
    ),
    "orders.OrderConfirmed.v1": OrderConfirmed(
        order_id=ORDER, payment_id=PAYMENT, currency="EUR", total=Decimal(25), confirmed_at=AT
    ),
    "orders.OrderCancelled.v1": OrderCancelled(
        order_id=ORDER, reason="card_declined", currency="JPY", total=Decimal(1480), cancelled_at=AT
    ),
    "payments.PaymentCompleted.v1": PaymentCompleted(
        payment_id=PAYMENT, order_id=ORDER, currency="EUR", amount=Decimal(25), completed_at=AT
    ),
    "payments.PaymentFailed.v1": PaymentFailed(
        payment_id=PAYMENT,
        order_id=ORDER,
        currency="KWD",
        amount=Decimal("0.123"),
        reason=DeclineReason.LIMIT_EXCEEDED,
        failed_at=AT,
    ),
    "consumers.MessageDeadLettered.v1": MessageDeadLettered(
        consumer="payments-worker",
        topic="order.events",
        partition=3,
        offset=42,
        key=b"\x00\xff",
        message_id=None,
        type="orders.OrderCreated",
        reason=ParkingReason.UNDECODABLE,
        error_class="schemas.codec.UndecodableError",
        error_text="the first byte is 7, not the magic byte 0",
        attempts=6,
    ),
    "canary.CanaryEmitted.v1": CanaryEmitted(
        canary_id=UUID("01a20999-13c2-7477-bc0d-000000000003"), emitted_at=AT
    ),
}


@pytest.mark.parametrize("version", EXPECTED)
def test_old_bytes_mean_what_they_meant(tmp_path: Path, version: str) -> None:
    [golden] = [g for g in goldens() if g.label == version]
    store = SchemaStore("http://127.0.0.1:9", tmp_path)
    store.directory.mkdir()
    (store.directory / "7.avsc").write_text(json.dumps(golden.schema))
    data = HEADER.pack(0, 7) + golden.datum
    assert Codec(store, ALL).decode(data) == EXPECTED[version]


def test_every_message_has_golden_bytes_and_every_file_is_looked_at() -> None:
    assert {golden.label for golden in goldens()} == set(EXPECTED)
    assert {golden.message for golden in goldens()} == set(catalogue().messages)
