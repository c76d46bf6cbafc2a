"""The canary asks a broker that has lost its partitions for a moment again, and one that stays so until time is up."""

from itertools import count

import pytest

from cdc import canary
from cdc.kafka import Bounds, TopicError
from cdc.kafka_record import Place
from cdc.topic_reader import TopicReader


class Losing(TopicReader):
    """Reads from a broker that knows no leaders until it was asked so often."""

    def __init__(self, times: int) -> None:
        self._asked, self._times = count(), times

    def bounds(self, *names: str) -> dict[Place, Bounds]:
        if next(self._asked) < self._times:
            raise TopicError("No leaders found")
        return {Place(name, 0): Bounds(0, 7) for name in names}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "POLL_S", 0.0)


def test_a_broker_that_has_lost_its_partitions_is_asked_again() -> None:
    found = canary._ends(Losing(3), "canary.events", lambda: False)
    assert found == {Place("canary.events", 0): 7}


def test_it_is_given_up_when_time_is_up() -> None:
    late = iter([False, True])
    with pytest.raises(TopicError, match="No leaders found"):
        canary._ends(Losing(3), "canary.events", lambda: next(late))
