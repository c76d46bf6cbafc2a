"""The account of the orders under way, and the figures and words it comes to."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from infra.demo.follow import Seen
from infra.demo.ledger import Ledger, Sums, Totals
from infra.demo.orders import DemoError, Line, NewOrder
from infra.demo.report import compare, verdict
from infra.demo.result import PERCENTILES, Result, percentiles
from infra.demo.sales import Report, read_report
from infra.demo.walk import Besides, Webhooks, judged
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated
from schemas.rest.orders.v2 import Order

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = UUID("01a20999-13c2-7477-bc0d-7ecf0b47d38d")
TOTAL = Decimal("10.00")
ORDER = NewOrder(
    place="line 2",
    rows=1,
    customer_id="ada",
    currency="EUR",
    lines=(Line("tea", 1, TOTAL),),
    total=TOTAL,
)
ANSWER = Order.model_validate(
    {
        "order_id": ID,
        "status": "pending",
        "customer_id": "ada",
        "currency": "EUR",
        "lines": [],
        "net": TOTAL,
        "tax": Decimal(0),
        "total": TOTAL,
        "placed_at": NOW,
        "updated_at": NOW,
        "version": 1,
    }
)
CREATED = OrderCreated(
    order_id=ID, customer_id="ada", currency="EUR", lines=(), total=TOTAL, placed_at=NOW
)
CONFIRMED = OrderConfirmed(
    order_id=ID, payment_id=ID, currency="EUR", total=TOTAL, confirmed_at=NOW
)
CANCELLED = OrderCancelled(
    order_id=ID, reason="card_declined", currency="EUR", total=TOTAL, cancelled_at=NOW
)


def begun() -> Ledger:
    ledger = Ledger()
    ledger.begin("c", ORDER, at=1.0)
    return ledger


def result(**changes: Any) -> Result:
    fields: dict[str, Any] = {
        "source": "orders.csv",
        "rows": 1,
        "bad_rows": 0,
        "refused": 0,
        "unsent": 0,
        "placed": 1,
        "confirmed": 1,
        "cancelled": {},
        "answers_lost": 0,
        "replayed": 0,
        "unknown": 0,
        "unfinished": (),
        "answer_ms": {50: 2.345},
        "latency_ms": {50: 12.345},
        "duplicates": 0,
        "messages": 3,
        "commits": 4,
        "books": (),
        "totals": {"EUR": Totals(TOTAL, TOTAL, TOTAL, Decimal(0))},
        "duration_s": 2.0,
        "problems": (),
        "stopped": None,
        "interrupted": False,
        "besides": Besides(),
        "killed": {},
    }
    return Result(**(fields | changes))


def test_an_order_ends_with_its_last_event() -> None:
    ledger = begun()
    assert "c" in ledger
    assert ledger.answered("c", ANSWER, at=1.25) is None
    assert ledger.seen(Seen("c", CREATED, 1.1)) is None
    assert ledger.seen(Seen("c", CONFIRMED, 1.5)) == ORDER
    assert (ledger.placed, ledger.confirmed, ledger.is_settled) == (1, 1, True)
    assert (list(ledger.answers_s), list(ledger.latencies_s)) == ([0.25], [0.5])
    assert ledger.totals["EUR"].match


def test_the_last_event_may_come_before_the_answer() -> None:
    ledger = begun()
    assert ledger.seen(Seen("c", CANCELLED, 1.5)) is None
    assert ledger.answered("c", ANSWER, at=2.5) == ORDER
    assert ledger.cancelled == {"card_declined": 1}
    assert ledger.totals["EUR"] == Totals(TOTAL, TOTAL, Decimal(0), TOTAL)


def test_an_event_that_is_delivered_again_changes_nothing() -> None:
    ledger = begun()
    ledger.answered("c", ANSWER, at=2.5)
    ledger.seen(Seen("c", CONFIRMED, 1.5))
    assert ledger.seen(Seen("c", CONFIRMED, 9.9)) is None
    assert (ledger.confirmed, len(ledger.latencies_s)) == (1, 1)


@pytest.mark.parametrize("first", ["answer", "event"])
def test_a_lost_answer_is_made_good_by_the_events(first: str) -> None:
    ledger = begun()
    if first == "event":
        ledger.seen(Seen("c", CREATED, 1.1))
    ledger.lost("c", "no answer")
    assert len(list(ledger.unknown())) == (first == "answer")
    ledger.seen(Seen("c", CREATED, 1.1))
    assert [entry.order_id for entry in ledger.unfinished()] == [ID]
    assert ledger.seen(Seen("c", CONFIRMED, 1.5)) == ORDER
    assert (ledger.placed, ledger.answers_lost) == (1, 1)
    assert ledger.totals["EUR"].match


def test_what_neither_answer_nor_event_tells_of_stays_unknown() -> None:
    ledger = begun()
    ledger.lost("c", "no answer")
    assert [entry.lost for entry in ledger.unknown()] == ["no answer"]
    assert list(ledger.unfinished()) == []
    assert ledger.placed == 0
    assert not ledger.is_settled


def test_an_order_without_an_answer_does_not_take_the_place_of_another() -> None:
    ledger = begun()
    assert ledger.awaited == 1
    ledger.lost("c", "no answer")
    assert ledger.awaited == 0
    ledger.seen(Seen("c", CREATED, 1.1))
    assert ledger.awaited == 1


def test_an_order_that_was_not_placed_is_forgotten() -> None:
    ledger = begun()
    assert ledger.drop("c") == ORDER
    assert (ledger.is_settled, ledger.placed, ledger.totals) == (True, 0, {})


def test_what_a_user_pays_less_is_a_discount() -> None:
    ledger = Ledger()
    ledger.begin("c", replace(ORDER, is_of_user=True), at=1.0)
    paid = {"total": Decimal("9.80"), "tier": "silver", "tier_source": "fallback"}
    ledger.answered("c", ANSWER.model_copy(update=paid), at=1.25)
    ledger.seen(Seen("c", replace(CONFIRMED, total=Decimal("9.80")), 1.5))
    assert (ledger.standing.orders, ledger.standing.tiers, ledger.standing.fallbacks) == (
        1,
        ["silver"],
        1,
    )
    assert ledger.totals["EUR"].discount == Decimal("0.20")
    assert ledger.totals["EUR"].match
    assert ledger.ends == {ID: "order.confirmed"}


HEADINGS = "day,currency,sku,orders_placed,orders_confirmed,orders_cancelled,cancelled_by_reason,revenue,refunds\n"


def report_of(placed: int, confirmed: int, revenue: str) -> Report:
    row = f"2026-01-01,EUR,,{placed},{confirmed},0,{{}},{revenue},0.0000\n"
    return read_report((HEADINGS + row).encode())


@pytest.mark.parametrize(
    ("after", "others", "is_right"),
    [
        (report_of(4, 3, "40.0000"), 0, True),
        (report_of(5, 3, "40.0000"), 0, False),
        (report_of(4, 3, "39.0000"), 0, False),
        (report_of(4, 4, "40.0000"), 0, False),
        (report_of(5, 3, "40.0000"), 2, None),
    ],
)
def test_a_report_is_held_against_the_run(after: Report, others: int, is_right: object) -> None:
    ledger = Ledger(sales={"EUR": Sums(placed=1, confirmed=1, revenue=TOTAL)})
    sales = judged(report_of(3, 2, "30.0000"), after, ledger, others)
    assert sales.is_right is is_right
    said = list(verdict(result(besides=Besides(report=sales))))
    assert len(said) == (1 if is_right else 2), said
    assert result(besides=Besides(report=sales)).ok == (is_right is not False)


def test_a_report_that_is_none_is_said() -> None:
    with pytest.raises(DemoError, match="cannot be read"):
        read_report(b"day,currency\n1,EUR\n")


@pytest.mark.parametrize(
    "wrong", [{"lost": ("a",)}, {"doubled": 1}, {"forged": 1}], ids=["lost", "doubled", "forged"]
)
def test_webhooks_that_are_not_as_they_should_be_are_a_failure(wrong: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"expected": 3, "lost": (), "doubled": 0, "repeated": 2, "forged": 0}
    assert result(besides=Besides(webhooks=Webhooks(**fields))).ok
    failed = result(besides=Besides(webhooks=Webhooks(**fields | wrong)))
    assert not failed.ok
    assert any(each.startswith("Of 3 webhooks") for each in verdict(failed))


def test_percentiles_are_latencies_that_occurred() -> None:
    hundred = [n / 1000 for n in range(100, 0, -1)]
    assert percentiles(hundred) == pytest.approx({50: 50, 95: 95, 99: 99})
    assert percentiles([0.007]) == pytest.approx({50: 7, 95: 7, 99: 7})
    assert percentiles([]) == {}


@given(st.lists(st.floats(0, 100), min_size=1))
def test_at_most_the_rest_exceeds_a_percentile(latencies_s: list[float]) -> None:
    for percent, latency_ms in percentiles(latencies_s).items():
        above = sum(latency_s * 1000 > latency_ms for latency_s in latencies_s)
        assert above * 100 <= (100 - percent) * len(latencies_s)
    assert tuple(percentiles(latencies_s)) == PERCENTILES


def test_all_is_well_when_all_came_to_its_end_and_adds_up() -> None:
    assert result().ok
    assert list(verdict(result())) == ["file 10.00 EUR = events 10.00 EUR"]
    assert result(cancelled={"card_declined": 3}).ok


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bad_rows": 2, "refused": 1}, "Not placed: 2 bad rows, 1 refused; each is named above."),
        ({"unsent": 1}, "Not placed: 1 unsent; each is named above."),
        ({"unknown": 1}, "1 orders are unknown: they were sent, but neither an answer nor"),
        ({"unfinished": ("a", "b")}, "2 orders did not come to their end: a, b. See"),
        (
            {"unfinished": tuple("abcdefg")},
            "7 orders did not come to their end: a, b, c, d, e, ...",
        ),
        ({"stopped": "interrupted"}, "Stopped early: interrupted."),
        (
            {"totals": {"JPY": Totals(Decimal(12_345), Decimal(12_345), Decimal(12_344))}},
            "file 12,345 JPY, placed 12,345 JPY, events 12,344 JPY: they do not match",
        ),
    ],
)
def test_what_went_wrong_is_said_and_is_a_failure(changes: dict[str, Any], sentence: str) -> None:
    wrong = result(**changes)
    assert not wrong.ok
    assert any(said.startswith(sentence) for said in verdict(wrong))


def test_answers_lost_are_said_and_are_no_failure() -> None:
    assert result(answers_lost=1).ok
    assert any("the events show" in said for said in verdict(result(answers_lost=1)))
    assert result(replayed=2).ok
    assert any(said.startswith("2 answers were lost, and") for said in verdict(result(replayed=2)))


def test_machines_get_money_as_strings_and_latencies_in_milliseconds() -> None:
    document = result(cancelled={"b": 1, "a": 2}).as_json()
    assert document["totals"] == {
        "EUR": {
            "source": "10.00",
            "discount": "0.00",
            "placed": "10.00",
            "confirmed": "10.00",
            "cancelled": "0.00",
            "events": "10.00",
            "match": True,
        }
    }
    assert document["answer_ms"] == {"p50": 2.3}
    assert document["latency_ms"] == {"p50": 12.3}
    assert (document["cancelled"], document["cancelled_by_reason"]) == (3, {"a": 2, "b": 1})
    assert (document["ok"], document["orders_per_s"]) == (True, 2.0)


def test_runs_are_compared_column_by_column() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    one = result(messages=9, commits=3)
    other = result(cancelled={"too_far": 2}, messages=None, books=("order 1 is confirmed",))
    compare({"one": one, "other": other}, console)
    lines = [line.split() for line in console.export_text().splitlines()]
    assert ["messages", "an", "order", "9.0", "unknown"] in lines
    assert ["cancelled:", "too_far", "0", "2"] in lines
    assert ["books", "balanced", "1", "disagree"] in lines
    assert not other.ok
