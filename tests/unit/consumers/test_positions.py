"""Where a worker begins: at the position in the database, unless Kafka does not have it any more."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

import psycopg
import pytest

from consumers.runtime import positions
from consumers.runtime.positions import Bounds, find_positions
from consumers.runtime.store import Place
from consumers.testing.memory import MemoryDatabase
from consumers.testing.memory_store import MemoryStore

PLACE = Place("order.events", 0)


class Kafka:
    def __init__(self, begin: int, end: int) -> None:
        self._bounds = Bounds(begin, end)

    async def bounds(self, places: Sequence[Place]) -> Mapping[Place, Bounds]:
        return dict.fromkeys(places, self._bounds)


class TroubledStore(MemoryStore):
    """A store whose database is out of reach at first."""

    troubles = 2

    async def position(self, place: Place) -> int | None:
        if self.troubles:
            self.troubles -= 1
            raise psycopg.OperationalError("the connection is lost")
        return await super().position(place)


def new_store(kind: type[MemoryStore] = MemoryStore) -> MemoryStore:
    return kind("c", MemoryDatabase([]))


def begins(store: MemoryStore, position: int | None, begin: int, end: int) -> int:
    async def run() -> int:
        if position is not None:
            await store.begin(PLACE, position)
        found = await find_positions([PLACE], store, Kafka(begin, end))
        assert await store.position(PLACE) == found[PLACE]
        return found[PLACE]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("position", "expected"),
    [(None, 10), (10, 10), (15, 15), (20, 20)],
    ids=["new", "at the beginning", "within", "at the end"],
)
def test_a_worker_goes_on_where_its_consumer_is(
    caplog: pytest.LogCaptureFixture, position: int | None, expected: int
) -> None:
    assert begins(new_store(), position, 10, 20) == expected
    assert caplog.records == []


@pytest.mark.parametrize(
    ("position", "trouble"),
    [
        (4, "the position is 4, but 6 records were deleted unread; going on at 10"),
        (21, "the position is 21, but the topic ends at 20, it must have been made anew"),
    ],
    ids=["deleted unread", "made anew"],
)
def test_a_position_that_kafka_does_not_have_is_told_of(
    caplog: pytest.LogCaptureFixture, position: int, trouble: str
) -> None:
    assert begins(new_store(), position, 10, 20) == 10
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert trouble in record.getMessage()


def test_an_empty_partition_is_begun_at_its_end() -> None:
    assert begins(new_store(), None, 7, 7) == 7


def test_the_database_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "PAUSE_S", 0.0)
    store = new_store(TroubledStore)
    assert begins(store, None, 10, 20) == 10
    assert isinstance(store, TroubledStore)
    assert store.troubles == 0


def test_nothing_is_asked_without_partitions() -> None:
    assert asyncio.run(find_positions([], new_store(), Kafka(0, 0))) == {}
