"""Partitions are taken over when the database can be asked where to begin in them, however long that takes."""

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from faust.types import TP

from cdc.kafka import Bounds, Topic
from consumers.runtime import transport
from consumers.runtime.positions import find_positions
from consumers.runtime.store import Place, Position
from consumers.runtime.transport import BatchConsumer
from consumers.testing.memory import MemoryDatabase
from consumers.testing.memory_store import MemoryStore

PLACE = Place("order.events", 0)


class TroubledStore(MemoryStore):
    """A store whose database is out of reach at first."""

    troubles = 2

    async def stored_position(self, place: Place) -> Position | None:
        if self.troubles:
            self.troubles -= 1
            raise psycopg.OperationalError("the connection is lost")
        return await super().stored_position(place)


async def read_topics() -> Mapping[str, Topic]:
    return {PLACE.topic: Topic("id", 1, {0: Bounds(7, 9)})}


class Taker:
    """What of a Faust consumer takes over, and who is asked where to begin."""

    def __init__(self) -> None:
        self.app = SimpleNamespace(should_stop=False)
        self.lanes = SimpleNamespace(open=self.opened)
        self._assignee = self
        self._store = TroubledStore("c", MemoryDatabase([]))
        self._tried_at = 0.0
        self.tried_at = list[float]()
        self.sought: Mapping[TP, int] = {}
        self.begun: Mapping[Place, int] = {}

    def assignment(self) -> set[TP]:
        return {TP(*PLACE)}

    async def take_over(self, places: Sequence[Place]) -> Mapping[Place, int]:
        self.tried_at.append(self._tried_at)
        return (await find_positions(places, self._store, read_topics, {})).offsets

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self.sought = partitions

    def opened(self, positions: Mapping[Place, int]) -> None:
        self.begun = positions


def test_the_database_is_waited_for_by_trying_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(transport, "PAUSE_S", 0.001)
    taker = Taker()
    asyncio.run(BatchConsumer._take_over(cast(Any, taker)))
    assert (taker.sought, taker.begun) == ({TP(*PLACE): 7}, {PLACE: 7})
    assert len(set(taker.tried_at)) == 1 + TroubledStore.troubles, "each is seen to be a try"
    assert len(caplog.records) == 1, "what is the same is told once"
