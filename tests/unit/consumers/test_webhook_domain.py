"""What becomes of a delivery and its endpoint after each attempt, and which events an endpoint is told of."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from consumers.webhooks.calls import Outcome
from consumers.webhooks.domain import GIVEN_UP_AFTER, PAUSES_S, SLOWED_S, decide
from consumers.webhooks.handlers import MOST_BYTES, Wish, fitting_body

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def outcome(status: int | None = None, retry_after_s: float | None = None) -> Outcome:
    error = None if status else "nobody there"
    return Outcome(at=NOW, duration_s=0.1, status=status, error=error, retry_after_s=retry_after_s)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_what_succeeds_is_delivered_and_ends_the_failing(status: int) -> None:
    decision = decide(3, outcome(status), NOW, NOW - timedelta(days=4))
    assert (decision.status, decision.failing_since) == ("delivered", None)


@pytest.mark.parametrize("status", [None, 100, 199, 300, 301, 304, 308, 400, 404, 409, 500, 599])
def test_all_else_is_tried_again(status: int | None) -> None:
    decision = decide(1, outcome(status), NOW, None, lambda: 0.0)
    assert decision.status == "pending"
    assert decision.due_at == NOW + timedelta(seconds=5)
    assert decision.failing_since == NOW
    assert decision.disabled is None


def test_the_schedule_is_that_of_the_specification() -> None:
    assert sum(PAUSES_S) == pytest.approx(75.6 * 3600, rel=0.001)
    for attempts, pause_s in enumerate(PAUSES_S, start=1):
        earliest, latest = (
            decide(attempts, outcome(500), NOW, NOW, lambda chance=chance: chance).due_at  # type: ignore[misc]
            for chance in (0.0, 1.0)
        )
        assert earliest == NOW + timedelta(seconds=pause_s)
        assert latest == NOW + timedelta(seconds=pause_s * 1.1)
    last = decide(10, outcome(500), NOW, NOW)
    assert (last.status, last.due_at) == ("failed", None)


@pytest.mark.parametrize("since", [None, NOW - timedelta(days=9)])
def test_what_is_our_own_fault_says_nothing_of_the_endpoint(since: datetime | None) -> None:
    ours = Outcome(at=NOW, duration_s=0, error="no key opens it", is_ours=True)
    decision = decide(1, ours, NOW, since)
    assert (decision.status, decision.failing_since, decision.disabled) == ("pending", since, None)


def test_gone_disables_at_once() -> None:
    decision = decide(1, outcome(410), NOW, None)
    assert (decision.status, decision.disabled) == ("skipped", "it answered 410 Gone")


def test_days_of_nothing_but_failures_disable() -> None:
    almost = decide(9, outcome(500), NOW, NOW - GIVEN_UP_AFTER + timedelta(seconds=1))
    assert almost.disabled is None
    decision = decide(1, outcome(500), NOW, NOW - GIVEN_UP_AFTER)
    assert decision.disabled == "no call has succeeded for 5 days"
    assert decision.failing_since == NOW - GIVEN_UP_AFTER


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_endpoint_is_left_alone_as_long_as_it_says(status: int) -> None:
    decision = decide(1, outcome(status, 3600), NOW, None)
    assert decision.slowed_until == decision.due_at == NOW + timedelta(hours=1)
    unsaid = decide(5, outcome(status), NOW, None, lambda: 0.0)
    assert unsaid.slowed_until == NOW + timedelta(seconds=SLOWED_S)
    assert unsaid.due_at == NOW + timedelta(hours=5)
    assert decide(1, outcome(500, 3600), NOW, None).slowed_until is None


def test_an_endpoint_is_told_of_what_it_asked_for_since_it_is_there() -> None:
    data = {"currency": "EUR", "total": str(Decimal("10.50")), "paid": True, "reason": None}

    def fits(event_type: str = "order.created", at: datetime = NOW, **wanted: list[str]) -> bool:
        return Wish(uuid4(), ["order.created"], wanted, NOW).fits(event_type, at, data)

    assert fits()
    assert not fits("order.confirmed")
    assert not fits(at=NOW - timedelta(microseconds=1))
    assert fits(currency=["CHF", "EUR"])
    assert fits(currency=["EUR"], total=["10.50"], paid=["true"])
    assert not fits(currency=["EUR"], total=["10.5"])
    assert not fits(currency=["eur"])
    assert not fits(nothing=["x"])
    assert not fits(reason=["None"])


def test_a_body_that_is_too_large_names_the_order_alone() -> None:
    thin = {"order_id": "1"}
    assert fitting_body("order.created", "t", {"a": "ü"}, thin).encode() == (
        '{"type":"order.created","timestamp":"t","data":{"a":"ü"}}'.encode()
    )
    large = fitting_body("order.created", "t", {"a": "ü" * (MOST_BYTES // 2)}, thin)
    assert large == '{"type":"order.created","timestamp":"t","data":{"order_id":"1"}}'
