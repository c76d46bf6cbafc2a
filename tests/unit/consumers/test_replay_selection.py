"""Which messages a replay means: ranges, filters, and conditions on what a message says."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from cdc.ids import new_id
from cdc.kafka_record import KafkaRecord
from consumers.replay.bounds import Bound
from consumers.replay.errors import ReplayError
from consumers.replay.selection import Filter, Selection
from consumers.replay.where import ABSENT, Condition
from consumers.testing.schemas import local_codec
from schemas.message import Message
from schemas.messages.orders import OrderCancelled, OrderCreated, OrderLine

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOPIC = ("order.events",)


def order(total: str = "25.00", currency: str = "EUR") -> OrderCreated:
    return OrderCreated(
        order_id=new_id(),
        customer_id="ada",
        currency=currency,
        lines=(OrderLine(sku="book-1", quantity=2, unit_price=Decimal("12.50")),),
        total=Decimal(total),
        placed_at=NOW,
    )


def cancelled() -> OrderCancelled:
    return OrderCancelled(
        order_id=new_id(),
        reason="tired",
        currency="EUR",
        total=Decimal(5),
        cancelled_at=NOW,
    )


def record(message: Message, key: str = "k", message_id: UUID | None = None) -> KafkaRecord:
    value = local_codec([type(message)]).encode(message)
    headers = [
        ("ce_id", str(message_id or new_id()).encode()),
        ("ce_type", message.NAME.encode()),
    ]
    return KafkaRecord("order.events", 0, 0, 0, key.encode(), value, headers)


def chosen(message: Message, *where: str) -> bool:
    selection = Selection(topics=TOPIC, where=tuple(map(Condition.parse, where)))
    return Filter(selection, local_codec([])).wants(record(message))


def test_a_time_without_a_zone_is_local_and_one_with_a_zone_is_not() -> None:
    local = datetime.fromisoformat("2026-11-23T10:00").astimezone()
    assert Bound.parse(["2026-11-23T10:00"], NOW).time == local
    assert Bound.parse(["2026-11-23T10:00+05:00"], NOW).time == datetime(
        2026, 11, 23, 5, tzinfo=UTC
    )
    assert Bound.parse(["2026-11-23T10:00Z"], NOW).time == datetime(2026, 11, 23, 10, tzinfo=UTC)


def test_an_age_counts_back_from_now() -> None:
    assert Bound.parse(["90m"], NOW).time == NOW - timedelta(minutes=90)


def test_offsets_name_their_partitions() -> None:
    assert Bound.parse(["3:1200", "0:0"], NOW).offsets == {3: 1200, 0: 0}


@pytest.mark.parametrize(
    "texts", [["yesterday"], ["3:1", "3:2"], ["3:1", "2h"], ["1h", "2h"], ["-1:3"]]
)
def test_what_is_no_end_of_a_range_is_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Bound.parse(texts, NOW)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ReplayError, match="before it begins"):
        Selection(topics=TOPIC, start=Bound(NOW), end=Bound(NOW))
    with pytest.raises(ReplayError, match="before it begins"):
        Selection(topics=TOPIC, start=Bound(offsets={1: 5}), end=Bound(offsets={1: 5}))


def test_offsets_of_several_topics_are_refused() -> None:
    with pytest.raises(ReplayError, match="offsets are those of one topic"):
        Selection(topics=("a", "b"), start=Bound(offsets={0: 1}))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("currency=EUR", True),
        ("currency!=EUR", False),
        ("currency='EUR'", True),
        ("total>100", False),
        ("total > 24.99", True),
        ("total=25", True),  # a decimal, not its digits
        ("total<=25.0000", True),
        ("lines.0.sku=book-1", True),
        ("lines.0.quantity>=3", False),
        ("lines.1.sku=book-1", False),  # there is no second line
        ("lines.0.tax=null", True),
        ("lines.0.tax!=null", False),
        ("lines.0.tax>1", False),
        ("placed_at>=2026-11-23T12:00Z", True),
        ("placed_at<2026-11-23T12:00Z", False),
        ("nothing.like.that=1", False),
    ],
)
def test_a_condition_compares_by_the_kind_of_the_field(condition: str, holds: bool) -> None:  # noqa: FBT001
    assert chosen(order(), condition) is holds


def test_all_conditions_must_hold() -> None:
    assert chosen(order(), "currency=EUR", "total>20")
    assert not chosen(order(), "currency=EUR", "total>30")


def test_an_id_is_compared_as_one() -> None:
    placed = order()
    assert chosen(placed, f"order_id={str(placed.order_id).upper()}")
    with pytest.raises(ReplayError, match="has no order"):
        chosen(placed, f"order_id>{placed.order_id}")


@pytest.mark.parametrize("condition", ["total>much", "placed_at>soon", "order_id=17"])
def test_a_literal_of_another_kind_is_an_error_and_not_false(condition: str) -> None:
    with pytest.raises(ReplayError, match="is not"):
        chosen(order(), condition)


@pytest.mark.parametrize("text", ["", "currency", "=EUR", "__import__('os').system('x')", "a b=c"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no condition"):
        Condition.parse(text)


def test_an_absent_field_is_told_from_null() -> None:
    datum = {"a": None, "b": {"c": [1]}}
    assert Condition.parse("a=null").find(datum) is None
    assert Condition.parse("b.c.0=1").find(datum) == 1
    assert Condition.parse("b.c.7=1").find(datum) is ABSENT
    assert Condition.parse("x=null").find(datum) is ABSENT


def test_keys_types_and_ids_choose() -> None:
    wanted_id = new_id()
    codec = local_codec([])
    by_key = Filter(Selection(topics=TOPIC, keys=(b"a", b"b")), codec)
    assert [by_key.wants(record(order(), key)) for key in "abc"] == [True, True, False]
    by_type = Filter(Selection(topics=TOPIC, types=(OrderCancelled.NAME,)), codec)
    assert [by_type.wants(record(each)) for each in (order(), cancelled())] == [False, True]
    by_id = Filter(Selection(topics=TOPIC, ids=(wanted_id,)), codec)
    assert by_id.wants(record(order(), message_id=wanted_id))
    assert not by_id.wants(record(order()))


def test_a_field_that_no_message_has_is_named_when_nothing_was_found() -> None:
    conditions = (Condition.parse("curency=EUR"), Condition.parse("total>100"))
    choice = Filter(Selection(topics=TOPIC, where=conditions), local_codec([]))
    assert not choice.wants(record(order()))
    assert "curency" in choice.complaint()
    assert "total" not in choice.complaint()


def test_bytes_that_are_no_message_do_not_hold_what_is_asked_of_them() -> None:
    choice = Filter(Selection(topics=TOPIC, where=(Condition.parse("a=1"),)), local_codec([]))
    assert not choice.wants(record(order())._replace(value=b"no avro"))
    assert "1 messages could not be decoded" in choice.complaint()
