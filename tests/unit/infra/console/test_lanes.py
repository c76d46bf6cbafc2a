"""Swim lanes: rows in the order of causes, bars where times are known, and notes where clocks or rows contradict."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cdc.ids import new_id
from infra.console.flow.lanes import LEFT, MOST_ROWS, RIGHT, Lanes, lanes
from infra.console.flow.scale import SHORT_SHARE, Scale
from infra.operations.flow import Flow, FlowMessage, Taking

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
CORRELATION = new_id()


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def message(service: str, written: float, *takings: Taking, **changes: object) -> FlowMessage:
    found = FlowMessage(
        message_id=new_id(),
        type=f"{service}.Happened",
        topic=f"{service}.events",
        key="a",
        aggregate="thing",
        version=1,
        service=service,
        seq=1,
        correlation_id=CORRELATION,
        causation_id=None,
        parent=None,
        depth=0,
        state="published",
        detail="",
        written_at=at(written),
        published_at=at(written + 0.1),
        record=f"{service}.events/0/1",
        in_outbox_s=0.1,
        takings=takings,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def taken(service: str, begun: float, ended: float, *effects: FlowMessage) -> Taking:
    return Taking(
        consumer=f"{service}-worker",
        service=service,
        state="taken",
        effects=[each.message_id for each in effects],
        taken_at=at(begun),
        effect_at=at(ended),
        in_topic_s=0.2,
    )


def drawn(*messages: FlowMessage, now: float = 1.0) -> Lanes:
    flow = Flow(id="a", asked="aggregate", correlation_ids=[CORRELATION], messages=messages)
    found = lanes(flow, at(now))
    assert found is not None
    return found


def two() -> tuple[FlowMessage, FlowMessage]:
    paid = message("payments", 0.45)
    return message("orders", 0.0, taken("payments", 0.3, 0.5, paid)), paid


def test_each_service_has_a_band_and_each_thing_it_did_a_row() -> None:
    found = drawn(*two())
    assert [band.service for band in found.bands] == ["orders", "payments"]
    [[placed], [took]] = [band.rows for band in found.bands]
    assert [bar.kind for bar in placed.bars] == ["outbox"]
    assert [bar.kind for bar in took.bars] == ["topic", "handler", "outbox"]
    assert took.bars[0].told == "200 ms in the topic"
    assert took.label == "orders.Happened → payments-worker"
    assert [link.is_bad for link in found.links] == [False]


def test_bars_are_to_scale_and_follow_each_other() -> None:
    [[placed], [took]] = [band.rows for band in drawn(*two()).bands]
    whole = RIGHT - LEFT
    assert placed.bars[0].x == LEFT
    assert placed.bars[0].width == pytest.approx(whole * 0.1 / 0.55, abs=0.3)
    topic, handler, outbox = took.bars
    assert topic.x == pytest.approx(placed.bars[0].x + placed.bars[0].width, abs=0.3)
    assert handler.x == pytest.approx(topic.x + topic.width, abs=0.3)
    assert outbox.x + outbox.width == pytest.approx(RIGHT, abs=0.3)


def test_what_is_parked_is_red_until_now() -> None:
    failed = Taking(
        consumer="payments-worker",
        service="payments",
        state="dead",
        detail="ZeroDivisionError: oops (attempt 6)",
        taken_at=at(0.3),
        in_topic_s=0.2,
    )
    [_, band] = drawn(message("orders", 0.0, failed), now=1.0).bands
    [row] = band.rows
    assert row.is_bad
    assert row.bars[-1].kind == "parked"
    assert row.bars[-1].x + row.bars[-1].width == pytest.approx(RIGHT, abs=0.3)
    assert row.note == "dead letter: ZeroDivisionError: oops (attempt 6)"


def test_what_leaves_no_time_is_marked_and_said() -> None:
    silent = Taking(
        consumer="analytics-worker", service="analytics", state="taken", detail="sent nothing"
    )
    [_, band] = drawn(message("orders", 0.0, silent)).bands
    [row] = band.rows
    assert (row.bars, row.note) == ([], "sent nothing")
    assert row.mark is not None


def test_clocks_that_differ_change_no_order_and_are_said() -> None:
    paid = message("payments", -0.2)
    early = replace(taken("payments", -0.3, -0.1, paid), in_topic_s=-0.4)
    found = drawn(message("orders", 0.0, early), paid)
    assert [band.service for band in found.bands] == ["orders", "payments"]
    assert all(bar.width >= 0 for band in found.bands for row in band.rows for bar in row.bars)
    [note] = found.notes
    assert note.startswith("Clocks differ by 400 ms or more: 1 waits would be below zero")


def test_a_long_wait_in_which_nothing_happens_is_shortened_and_said() -> None:
    paid = message("payments", 3600.2)
    found = drawn(message("orders", 0.0, taken("payments", 3600.1, 3600.3, paid)), paid)
    [cut] = found.cuts
    assert cut.seconds == pytest.approx(3600, abs=1)
    scale = Scale([at(0), at(1), at(3601), at(3602)], 0, 100)
    assert scale.x(at(3601)) - scale.x(at(1)) == pytest.approx(100 * SHORT_SHARE)
    assert scale.x(at(1)) == pytest.approx(50 * (1 - SHORT_SHARE))


def test_moments_beyond_the_ends_are_at_the_ends() -> None:
    scale = Scale([at(0), at(1)], 10, 20)
    assert [scale.x(at(each)) for each in (-5, 0, 0.5, 1, 9)] == [10, 10, 15, 20, 20]
    assert Scale([at(0)], 10, 20).x(at(3)) == 10


def test_very_many_rows_are_not_drawn_and_counted() -> None:
    found = drawn(*(message("orders", number / 1000) for number in range(MOST_ROWS + 7)))
    assert sum(len(band.rows) for band in found.bands) == MOST_ROWS
    assert found.notes == ["7 rows more are not drawn; the list below has all messages."]


def test_nothing_is_drawn_of_what_has_no_times() -> None:
    bare = message("orders", 0, written_at=None, published_at=None, in_outbox_s=None)
    flow = Flow(id="a", asked="message", correlation_ids=[CORRELATION], messages=[bare])
    assert lanes(flow, NOON) is None
