"""Flows put into an order: by causes and positions, with whatever is missing or contradicts itself."""

import random
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from cdc.ids import new_id
from cdc.kafka import Bounds
from cdc.kafka_record import Place
from infra.cli.flow import sequence
from infra.flow.records import MOST, Search, rounds
from infra.flow.sources import Inbox, Located, ParkedThere, SkippedThere, open_sources
from infra.flow.tree import Placed, Sent, in_order
from infra.operations.flow import Account, Flow, FlowMessage, Taking
from infra.services import RELAY, WORKERS
from infra.settings import load_settings
from schemas.messages.consumers import MessageDeadLettered

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
CORRELATION = new_id()


def sent(service: str, seq: int | None, cause: Sent | UUID | None = None, at: float = 0.0) -> Sent:
    return Sent(
        message_id=new_id(),
        type=f"{service}.Something",
        topic=f"{service}.events",
        key="a",
        aggregate="thing",
        version=1,
        service=service,
        seq=seq,
        correlation_id=CORRELATION,
        causation_id=cause.message_id if isinstance(cause, Sent) else cause,
        began_at=None,
        written_at=None if seq is None else NOON + timedelta(seconds=at),
        expires_at=None,
    )


def ordered(messages: Sequence[Sent]) -> list[Placed]:
    """Put messages in order, as many times as they can come in another one, and see that it makes no difference."""
    found = in_order(messages)
    dice = random.Random(7)  # noqa: S311 - the same each time
    for _ in range(20):
        shuffled = dice.sample(messages, len(messages))
        assert in_order(shuffled) == found
    return found


def messages_of(placed: Sequence[Placed]) -> list[Sent]:
    return [each.message for each in placed]


def test_what_relays_have_set_aside_is_read_in_every_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    ids = {"/tailrace": new_id(), "/ledger": new_id()}

    class Opened:
        def __init__(self, url: str) -> None:
            self.place = urlsplit(url).path
            opened.append(f"{urlsplit(url).username}{self.place}")

        def cursor(self, **_: object) -> nullcontext["Opened"]:
            return nullcontext(self)

        def execute(self, *_: object) -> list[dict[str, object]]:
            return [{"id": ids[self.place], "reason": "row"}]

    monkeypatch.setattr(
        "infra.flow.sources.connect", lambda url, *_, **_options: nullcontext(Opened(url))
    )
    deployment = load_settings(databases="payments=ledger", publisher="relay").deployment()
    with open_sources(deployment) as sources:
        assert sources.set_aside([]) == dict.fromkeys(ids.values(), "row")
    assert {"payments/ledger", f"{RELAY}/tailrace", f"{RELAY}/ledger"} <= {*opened}


def test_each_message_comes_behind_the_one_that_led_to_it() -> None:
    placed = sent("orders", 40)
    paid = sent("payments", 7, placed)
    reserved = sent("stock", 3, paid)
    confirmed = sent("orders", 41, reserved)
    found = ordered([placed, paid, reserved, confirmed])
    assert messages_of(found) == [placed, paid, reserved, confirmed]
    assert [each.depth for each in found] == [0, 1, 2, 3]
    assert [each.parent for each in found] == [
        None,
        placed.message_id,
        paid.message_id,
        reserved.message_id,
    ]


def test_clocks_that_run_backwards_change_nothing() -> None:
    placed = sent("orders", 1, at=100)
    paid = sent("payments", 1, placed, at=50)
    confirmed = sent("orders", 2, paid, at=1)
    assert messages_of(ordered([placed, paid, confirmed])) == [placed, paid, confirmed]


def test_messages_of_one_cause_keep_the_order_of_their_log() -> None:
    placed = sent("orders", 1)
    effects = [sent("payments", seq, placed, at=-seq) for seq in (5, 6, 7)]
    assert messages_of(ordered([placed, *effects])) == [placed, *effects]


def test_two_requests_about_one_thing_have_two_roots_in_the_order_of_the_log() -> None:
    placed = sent("orders", 1)
    paid = sent("payments", 1, placed)
    cancelled = sent("orders", 2)
    refunded = sent("payments", 2, cancelled)
    closed = sent("orders", 3, paid)
    found = ordered([placed, paid, cancelled, refunded, closed])
    assert [each.message for each in found if each.parent is None] == [placed, cancelled]
    assert messages_of(found).index(refunded) > messages_of(found).index(cancelled)
    assert messages_of(found)[-1] in {refunded, closed}


def test_an_effect_of_what_was_purged_is_at_the_top() -> None:
    purged = new_id()
    effect = sent("payments", 2, purged)
    following = sent("orders", 9, effect)
    found = ordered([effect, following])
    assert [(each.parent, each.depth) for each in found] == [(None, 0), (effect.message_id, 1)]
    assert found[0].message.causation_id == purged


def test_what_is_kept_back_comes_behind_the_log_that_it_will_be_in() -> None:
    placed = sent("orders", 1)
    reminder = sent("orders", None, placed)
    paid = sent("payments", 1, placed)
    confirmed = sent("orders", 2, paid)
    found = messages_of(ordered([placed, reminder, paid, confirmed]))
    assert found.index(reminder) > found.index(confirmed)


def test_rows_that_contradict_each_other_are_all_shown_once() -> None:
    first, second = sent("orders", 1), sent("payments", 1)
    circle = [
        replace(first, causation_id=second.message_id),
        replace(second, causation_id=first.message_id),
    ]
    own_cause = sent("stock", 1)
    circle.append(replace(own_cause, causation_id=own_cause.message_id))
    # the log says that the effect was there before its cause
    late = sent("users", 2)
    circle += [late, sent("users", 1, late)]
    found = ordered(circle)
    assert len(found) == len(circle)
    assert {each.message.message_id for each in found} == {each.message_id for each in circle}
    assert any(each.parent is None for each in found)


def test_a_thousand_messages_of_one_chain_are_put_in_order() -> None:
    chain = [sent("orders", 1)]
    for number in range(999):
        chain.append(sent(("payments", "orders")[number % 2], number + 2, chain[-1]))
    assert messages_of(in_order(chain[::-1])) == chain


def test_records_near_each_other_are_looked_for_together_and_each_partition_once_at_a_time() -> (
    None
):
    bounds = Bounds(0, 10 * MOST)
    here, there = Place("order.events", 1), Place("order.events", 2)
    searches = [
        Search(new_id(), here, 100, bounds),
        Search(new_id(), here, 150, bounds),
        Search(new_id(), here, 5 * MOST, bounds),
        Search(new_id(), there, 10 * MOST - 3, bounds),
    ]
    assert list(rounds(searches)) == [
        {here: (100, MOST + 150), there: (10 * MOST - 3, 10 * MOST)},
        {here: (5 * MOST, 6 * MOST)},
    ]


def test_what_is_not_found_is_unpublished_only_where_everything_was_looked_through() -> None:
    place = Place("order.events", 1)
    whole, cut = Bounds(0, 10), Bounds(0, 2 * MOST)
    assert Search(new_id(), place, 0, whole).tells
    assert not Search(new_id(), place, 0, cut).tells
    forgotten = Bounds(50, 60)
    assert not Search(new_id(), place, 50, forgotten).tells
    assert Search(new_id(), place, 55, forgotten).tells


HERE = Located(Place("orders.events", 1), 40, NOON)
IN_PAYMENTS = ("payments-worker", "payments")


def taking(sent_: Sent, inbox: Inbox, *others: Sent, record: Located | None = HERE) -> Taking:
    """Return what is told of the payments worker, which alone has anything to do with it."""
    records = {sent_.message_id: record}
    account = Account({"payments": inbox}, {}, [sent_, *others], records)
    [found] = account.message(in_order([sent_])[0]).takings
    return found


def test_a_handler_that_sent_something_tells_when_it_took_and_when_it_was_done() -> None:
    cause = sent("orders", 1)
    at = NOON + timedelta(seconds=2)
    effects = [replace(sent("payments", seq, cause, at=seq), began_at=at) for seq in (3, 4)]
    later = replace(sent("payments", 9, cause, at=500), began_at=None)
    dead_letter = replace(
        sent("payments", 2, cause, at=1), type=MessageDeadLettered.NAME, began_at=NOON
    )
    inbox = Inbox(taken={(IN_PAYMENTS[0], cause.message_id)})
    found = taking(cause, inbox, *effects, later, dead_letter)
    assert (found.state, found.in_topic_s, found.in_handler_s) == ("taken", 2.0, 2.0)
    assert list(found.effects) == [each.message_id for each in (*effects, later)]
    kept_back = taking(cause, inbox, later)
    assert (kept_back.taken_at, kept_back.effect_at) == (None, None)
    nothing = taking(cause, inbox)
    assert (nothing.state, nothing.detail, nothing.in_handler_s) == ("taken", "sent nothing", None)


def test_two_consumers_of_one_service_are_not_mistaken_for_each_other() -> None:
    cause = sent("orders", 1)
    effect = replace(sent("payments", 3, cause), began_at=NOON)
    inbox = Inbox(taken={(name, cause.message_id) for name in ("one", "other")})
    account = Account({"payments": inbox}, {}, [cause, effect], {})
    takings = account.message(in_order([cause])[0]).takings
    assert [(each.consumer, list(each.effects)) for each in takings] == [("one", []), ("other", [])]


def test_what_is_parked_or_skipped_is_told_before_what_the_inbox_says() -> None:
    cause = sent("orders", 1)
    id_ = (IN_PAYMENTS[0], cause.message_id)
    at = NOON + timedelta(seconds=3)
    parked = ParkedThere(state="retrying", at=at, attempts=2, error="Oops: no", record=HERE)
    found = taking(cause, Inbox(taken={id_}, parked={id_: parked}), record=None)
    assert (found.state, found.detail, found.in_topic_s) == (
        "retrying",
        "Oops: no (attempt 2)",
        3.0,
    )
    skipped = SkippedThere(at=at, actor="ada", why="a test", record=HERE)
    found = taking(cause, Inbox(taken={id_}, skipped={id_: skipped}))
    assert (found.state, found.detail) == ("skipped", "by ada: a test")


@pytest.mark.parametrize(
    ("position", "record", "state"),
    [
        (None, HERE, "waiting"),
        (40, HERE, "waiting"),
        (41, HERE, "ignored"),
        (41, None, "not taken"),
    ],
)
def test_what_is_not_taken_is_told_by_the_position(
    position: int | None, record: Located | None, state: str
) -> None:
    cause = replace(sent("orders", 1), type="orders.OrderCreated", topic="order.events")
    place = Place("order.events", 1)
    record = record and record._replace(place=place)
    inbox = Inbox(positions={} if position is None else {("payments-worker", place): position})
    others = {str(worker.schema): Inbox() for worker in WORKERS}
    account = Account({**others, "payments": inbox}, {}, [cause], {cause.message_id: record})

    def told(each: Sent) -> Taking:
        [found] = [
            taking_
            for taking_ in account.message(in_order([each])[0]).takings
            if taking_.consumer == "payments-worker"
        ]
        return found

    assert told(cause).state == state
    if state == "ignored":
        assert told(replace(cause, expires_at=NOON)).state == "expired"
    inbox.first_id = new_id()
    assert told(cause).state == "forgotten"


def message(placed: Placed, *takings: Taking) -> FlowMessage:
    each = placed.message
    return FlowMessage(
        message_id=each.message_id,
        type=each.type,
        topic=each.topic,
        key=each.key,
        aggregate=each.aggregate,
        version=each.version,
        service=each.service,
        seq=each.seq,
        correlation_id=each.correlation_id,
        causation_id=each.causation_id,
        parent=placed.parent,
        depth=placed.depth,
        state="published",
        detail="",
        written_at=each.written_at,
        published_at=None,
        record=None,
        in_outbox_s=None,
        takings=takings,
    )


def test_the_diagram_has_an_arrow_for_each_consumer_and_shows_what_did_not_arrive() -> None:
    placed = sent("orders", 1)
    paid = sent("payments", 1, placed)
    strange = replace(sent("orders", 2, new_id()), type="x; y\n")
    first, second, third = in_order([placed, paid, strange])
    flow = Flow(
        id="a",
        asked="aggregate",
        correlation_ids=[CORRELATION],
        messages=[
            message(first, Taking(consumer="payments-worker", service="payments", state="taken")),
            message(second, Taking(consumer="orders-worker", service="orders", state="dead")),
            message(
                third, Taking(consumer="analytics-worker", service="analytics", state="waiting")
            ),
        ],
    )
    lines = [line.strip() for line in sequence(flow)]
    assert lines[0] == "sequenceDiagram"
    names = {line.split(" as ")[1]: line.split()[1] for line in lines if " as " in line}
    assert set(names) == {"outside", "orders", "payments", "analytics"}
    drawn = [line for line in lines if "->>" in line or "--" in line]
    assert f"{names['outside']}->>{names['orders']}: request" in drawn
    assert any(line.endswith("(dead)") and "--x" in line for line in drawn)
    assert any(line.endswith("(waiting)") and "--)" in line for line in drawn)
    assert not any(";" in line for line in lines)
    assert not flow.is_sound
    assert not flow.is_done
