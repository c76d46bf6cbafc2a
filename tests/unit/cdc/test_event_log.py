"""Folding events into states, and what a snapshot of a state is known by."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc.event_log import AsOf, BrokenLogError, EventLog, LoggedEvent, Snapshots, State
from cdc.event_log.fold import Fold
from cdc.event_log.verification import Difference, differences
from cdc.ids import new_id
from consumers.testing.schemas import LocalSchemas
from infra.operations.events import parse_as_of
from producers.orders.domain import Order, Status
from producers.orders.event_log import orders_fold
from schemas.codec import HEADER, MAGIC
from schemas.contracts import goldens
from schemas.messages.canary import CanaryEmitted
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated, OrderLine

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CREATED = OrderCreated(
    order_id=new_id(),
    customer_id="ada",
    currency="EUR",
    lines=(OrderLine(sku="tea", quantity=2, unit_price=Decimal("4.50")),),
    total=Decimal("9.00"),
    placed_at=NOON,
)
CONFIRMED = OrderConfirmed(
    order_id=CREATED.order_id,
    payment_id=new_id(),
    currency="EUR",
    total=Decimal("9.00"),
    confirmed_at=NOON + timedelta(microseconds=1),
)


@dataclass(frozen=True)
class Sign:
    """How a canary stands."""

    at: datetime


@dataclass(frozen=True)
class SignToo:
    """The same, told in other words."""

    at: datetime


@dataclass(frozen=True)
class SignWithName:
    """How a canary stands."""

    at: datetime
    name: str = ""


def sign_fold(state: type[Any], generation: int = 1) -> Fold[Any]:
    return Fold(
        kind="canary",
        messages=(CanaryEmitted,),
        state=state,
        begin=lambda event: state(event.emitted_at),
        apply=lambda _state, event: state(event.emitted_at),
        generation=generation,
    )


def test_events_lead_to_a_state_with_the_version_of_the_last() -> None:
    fold = orders_fold()
    placed = fold.after(None, CREATED, 1)
    paid = fold.after(placed, CONFIRMED, 2)
    assert (placed.version, placed.value.status) == (1, Status.PENDING)
    assert (paid.version, paid.value.status) == (2, Status.CONFIRMED)
    assert paid.value.version == 2


def test_an_event_that_cannot_stand_there_is_named() -> None:
    fold = orders_fold()
    with pytest.raises(BrokenLogError, match="OrderConfirmed cannot be version 1 of this order"):
        fold.after(None, CONFIRMED, 1)
    with pytest.raises(BrokenLogError, match="OrderCreated cannot be version 2 of this order"):
        fold.after(fold.after(None, CREATED, 1), CREATED, 2)


@given(
    prices=st.lists(st.decimals("0", "9999", places=4), min_size=1, max_size=4),
    rate=st.none() | st.just(Decimal("0.19")),
    name=st.text(min_size=1, max_size=8),
    at=st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive
    ending=st.sampled_from(["none", "confirmed", "cancelled"]),
)
def test_a_state_survives_being_kept(
    prices: list[Decimal], rate: Decimal | None, name: str, at: datetime, ending: str
) -> None:
    lines = tuple(
        OrderLine(sku=name, quantity=1, unit_price=price, tax_rate=rate, tax=rate)
        for price in prices
    )
    order = Order.begin(replace(CREATED, lines=lines, customer_id=name, placed_at=at))
    if ending == "confirmed":
        order = order.apply(CONFIRMED)
    if ending == "cancelled":
        order = order.apply(
            OrderCancelled(
                order_id=order.order_id,
                reason=name,
                currency="EUR",
                total=order.total,
                cancelled_at=at,
            )
        )
    fold = orders_fold()
    assert fold.from_json(fold.to_json(order)) == order


def test_a_state_that_is_none_is_no_error() -> None:
    fold = orders_fold()
    kept = fold.to_json(Order.begin(CREATED))
    assert fold.from_json(kept) is not None
    spoilt: Any
    for spoilt in ({}, kept | {"total": [1]}, kept | {"status": "lost"}, [kept], None, "order"):
        assert fold.from_json(spoilt) is None


def test_a_shape_changes_with_what_a_state_means_and_not_with_words_about_it() -> None:
    shape = sign_fold(Sign).shape
    assert shape == sign_fold(Sign).shape == sign_fold(SignToo).shape
    others = {
        sign_fold(SignWithName).shape,
        sign_fold(Sign, generation=2).shape,
        replace(sign_fold(Sign), messages=(CanaryEmitted, OrderCreated)).shape,
    }
    assert len(others | {shape}) == 4


def test_snapshots_are_not_taken_every_minus_one_versions() -> None:
    with pytest.raises(ValueError, match="every -1 versions"):
        Snapshots(orders_fold(), -1)


def test_differences_are_told_by_column() -> None:
    order = Order.begin(CREATED)
    changed = replace(order, currency="USD", total=Decimal(1))
    assert differences(changed, order) == (
        Difference("currency", "USD", "EUR"),
        Difference("total", Decimal(1), Decimal("9.00")),
    )
    assert differences(order, replace(order, total=Decimal("9.0000"))) == ()


def test_a_moment_is_a_version_or_a_time() -> None:
    assert parse_as_of("3") == AsOf(version=3)
    assert parse_as_of("2026-01-01T13:00+01:00") == AsOf(time=NOON)
    local = NOON.astimezone().replace(tzinfo=None)
    assert parse_as_of(local.isoformat()) == AsOf(time=NOON)
    for wrong in ("0", "-1", "noon", "", "٣"):
        with pytest.raises(ValueError, match="version"):
            parse_as_of(wrong)


def test_as_of_includes_what_had_happened() -> None:
    assert AsOf().includes(9, NOON)
    assert AsOf(version=2).includes(2, NOON)
    assert not AsOf(version=2).includes(3, NOON)
    assert AsOf(time=NOON).includes(9, NOON)
    assert not AsOf(time=NOON).includes(1, NOON + timedelta(microseconds=1))
    assert State(1, "x") == State(1, "x")


class OldSchemas(LocalSchemas):
    """A registry that also knows the schemas of old versions."""

    def schema_of(self, schema_id: int) -> str:
        old = {1000 + number: golden for number, golden in enumerate(goldens())}
        if schema_id in old:
            return json.dumps(old[schema_id].schema)
        return super().schema_of(schema_id)


def test_events_of_old_versions_are_read_as_this_code_reads_them() -> None:
    log, states = EventLog(orders_fold(), OldSchemas()), []
    for number, golden in enumerate(goldens()):
        if golden.message != CREATED.NAME:
            continue
        event = LoggedEvent(
            aggregate_type="order",
            aggregate_id="1",
            aggregate_version=1,
            id=new_id(),
            type=golden.message,
            topic="order.events",
            payload=HEADER.pack(MAGIC, 1000 + number) + golden.datum,
            correlation_id=new_id(),
            causation_id=None,
            traceparent=None,
            occurred_at=NOON,
        )
        states.append(log.after(None, event).value)
    assert len(states) >= 2
    assert {state.status for state in states} == {Status.PENDING}
    assert {line.tax_rate for line in states[0].lines} == {None}
