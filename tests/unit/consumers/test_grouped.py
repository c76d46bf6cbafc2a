"""Splitting a batch into calls: messages of a key keep their order, and as many as possible go into one call."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cdc.kafka_record import KafkaRecord
from consumers.runtime.handlers import Handler
from consumers.runtime.processor import grouped
from consumers.runtime.received import Received
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated


async def nothing(*_: Any) -> None: ...


async def nothing_else(*_: Any) -> None: ...


SINGLE = Handler(nothing, OrderCreated, in_bulk=False, name="")
BULK = Handler(nothing, OrderConfirmed, in_bulk=True, name="")
SAME_BULK = Handler(nothing, OrderCreated, in_bulk=True, name="")
OTHER_BULK = Handler(nothing_else, OrderCancelled, in_bulk=True, name="")
HANDLERS = (SINGLE, BULK, OTHER_BULK, None)


def received(offset: int, key: str | None, handler: Handler | None) -> Received[Any]:
    record = KafkaRecord(
        topic="order.events",
        partition=0,
        offset=offset,
        timestamp=0,
        key=None if key is None else key.encode(),
        value=b"",
        headers=[],
    )
    return Received(record, "", "", handler)


def groups_of(*messages: tuple[str | None, Handler | None]) -> list[tuple[Handler | None, str]]:
    batch = [received(offset, *message) for offset, message in enumerate(messages)]
    return [
        (handler, "".join(str(each.record.offset) for each in group))
        for handler, group in grouped(batch)
    ]


def test_a_bulk_handler_gets_all_of_its_messages_at_once() -> None:
    assert groups_of(("a", BULK), ("b", BULK), ("a", BULK)) == [(BULK, "012")]


def test_classes_that_one_function_takes_come_together() -> None:
    assert groups_of(("a", BULK), ("a", SAME_BULK), ("b", BULK)) == [(BULK, "012")]


def test_messages_of_other_keys_in_between_do_not_part_them() -> None:
    messages = [("a", BULK), ("b", SINGLE), ("a", BULK), ("c", OTHER_BULK), ("d", BULK)]
    assert groups_of(*messages) == [(BULK, "024"), (None, "1"), (OTHER_BULK, "3")]


def test_another_handler_for_the_same_key_in_between_parts_them() -> None:
    assert groups_of(("a", BULK), ("a", SINGLE), ("a", BULK)) == [
        (BULK, "0"),
        (None, "1"),
        (BULK, "2"),
    ]


def test_messages_handled_one_by_one_keep_the_order_in_which_they_lie() -> None:
    messages = [("a", SINGLE), ("b", None), ("c", SINGLE), ("b", SINGLE)]
    assert groups_of(*messages) == [(None, "0123")]


def test_records_without_a_key_have_no_order() -> None:
    assert groups_of((None, BULK), (None, SINGLE), (None, BULK)) == [(BULK, "02"), (None, "1")]


@given(
    st.lists(st.tuples(st.none() | st.sampled_from("abc"), st.sampled_from(HANDLERS)), max_size=30)
)
def test_whatever_the_batch_order_is_kept_and_nothing_lost(
    messages: list[tuple[str | None, Handler | None]],
) -> None:
    batch = [received(offset, *message) for offset, message in enumerate(messages)]
    groups = grouped(batch)
    calls = [each for _, group in groups for each in group]
    assert sorted(each.record.offset for each in calls) == list(range(len(messages)))
    for key in (b"a", b"b", b"c"):
        offsets = [each.record.offset for each in calls if each.record.key == key]
        assert offsets == sorted(offsets)
    single = [
        each.record.offset for each in calls if each.handler is None or not each.handler.in_bulk
    ]
    assert single == sorted(single)
    for handler, group in groups:
        assert {each.handler for each in group} <= ({handler} if handler else {None, SINGLE})
