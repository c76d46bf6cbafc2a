"""Where a worker begins: at the position in the database, unless Kafka does not have it any more."""

import asyncio
import logging
from collections.abc import Mapping

import pytest

from cdc.kafka import Bounds, Topic
from consumers.runtime.positions import TopicGoneError, find_positions
from consumers.runtime.store import FenceLostError, Place, Position
from consumers.testing.memory import MemoryDatabase
from consumers.testing.memory_store import MemoryStore

PLACE = Place("order.events", 0)


TOPIC_ID = "the id of the topic"


class Kafka:
    def __init__(self, begin: int, end: int, topic_id: str = TOPIC_ID) -> None:
        self._topic = Topic(topic_id, 1, {0: Bounds(begin, end)})

    async def read(self) -> Mapping[str, Topic]:
        return {PLACE.topic: self._topic}


def new_store() -> MemoryStore:
    return MemoryStore("c", MemoryDatabase([]))


def begins(
    store: MemoryStore,
    position: int | None,
    kafka: Kafka,
    *,
    topic_id: str | None = TOPIC_ID,
    known_end: int | None = None,
) -> int:
    ends = {} if known_end is None else {(topic_id or "", 0): known_end}

    async def run() -> int:
        if position is not None:
            await store.begin(PLACE, position, topic_id)
        found = await find_positions([PLACE], store, kafka.read, ends)
        topic = (await kafka.read())[PLACE.topic]
        assert await store.stored_position(PLACE) == Position(found.offsets[PLACE], topic.topic_id)
        assert found.topic_ids == {PLACE.topic: topic.topic_id}
        return found.offsets[PLACE]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("position", "expected"),
    [(None, 10), (10, 10), (15, 15), (20, 20)],
    ids=["new", "at the beginning", "within", "at the end"],
)
def test_a_worker_goes_on_where_its_consumer_is(
    caplog: pytest.LogCaptureFixture, position: int | None, expected: int
) -> None:
    assert begins(new_store(), position, Kafka(10, 20)) == expected
    assert caplog.records == []


def test_a_position_from_before_ids_were_kept_is_one_of_the_topic_that_is_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert begins(new_store(), 15, Kafka(10, 20), topic_id=None) == 15
    assert caplog.records == []


@pytest.mark.parametrize(
    ("position", "topic_id", "known_end", "trouble", "lost"),
    [
        (4, TOPIC_ID, None, "6 records from 4 on were deleted unread", 6),
        (21, TOPIC_ID, None, "the topic ends at 20, before the position 21", 0),
        (15, "another", None, "made anew, with 10 records now; an unknown number of records", 0),
        (
            15,
            "another",
            18,
            "made anew, with 10 records now; at least 3 records of the deleted one",
            3,
        ),
        (15, "another", 15, "made anew, with 10 records now; an unknown number of records", 0),
        (4, "another", None, "made anew, with 10 records now", 0),
    ],
    ids=["deleted unread", "cut off", "anew", "known end", "all read", "anew, further on"],
)
def test_a_position_that_kafka_does_not_have_is_told_of_and_kept(
    caplog: pytest.LogCaptureFixture,
    position: int,
    topic_id: str,
    known_end: int | None,
    trouble: str,
    lost: int,
) -> None:
    database: MemoryDatabase[list[int]] = MemoryDatabase([])
    store = MemoryStore("c", database)
    kafka = Kafka(10, 20)
    assert begins(store, position, kafka, topic_id=topic_id, known_end=known_end) == 10
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert trouble in vars(record)["fields"]["because"]
    reset = database.committed.positions["c", PLACE].reset
    assert reset is not None
    assert reset.lost == lost
    assert trouble in reset.reason


def test_who_is_overtaken_while_it_looks_looks_again() -> None:
    store = new_store()

    class Overtaken(Kafka):
        async def read(self) -> Mapping[str, Topic]:
            await store.move(PLACE, 4, 12)
            return await super().read()

    with pytest.raises(FenceLostError):
        begins(store, 4, Overtaken(10, 20))
    assert asyncio.run(store.position(PLACE)) == 12


def test_a_partition_that_is_gone_cannot_be_begun() -> None:
    async def nothing() -> Mapping[str, Topic]:
        return {}

    with pytest.raises(TopicGoneError, match=r"order\.events/0"):
        asyncio.run(find_positions([PLACE], new_store(), nothing, {}))


def test_an_empty_partition_is_begun_at_its_end() -> None:
    assert begins(new_store(), None, Kafka(7, 7)) == 7


def test_nothing_is_asked_without_partitions() -> None:
    found = asyncio.run(find_positions([], new_store(), Kafka(0, 0).read, {}))
    assert found.offsets == {}
