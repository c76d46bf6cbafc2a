"""One process with a relay for each database: they end together, and are well when each of them is."""

import threading

import httpx2
import pytest

from cdc.relay.__main__ import run_all
from cdc.relay.health import serving
from cdc.relay.relay import Relay, RelayStatus
from cdc.relay.settings import RelaySettings

BOUND_S = 10.0
SETTINGS = RelaySettings(database_url="postgresql://main", kafka_bootstrap="k:1")


class Waiting(Relay):
    """Has nothing to do until it is told to stop."""

    def run(self, stopped: threading.Event) -> None:
        stopped.wait()
        self.condition.problem = "stopped"


class Failing(Relay):
    """Fails for a reason that no new beginning mends."""

    def run(self, stopped: threading.Event) -> None:
        raise RuntimeError("a fault of the program")


def test_one_that_fails_for_good_ends_them_all() -> None:
    waiting, failing = Waiting(SETTINGS), Failing(SETTINGS)
    with pytest.raises(RuntimeError, match="a fault of the program"):
        run_all([waiting, failing], threading.Event())
    assert waiting.condition.problem == "stopped"


def test_all_end_when_they_are_told_to() -> None:
    relays, stopped = [Waiting(SETTINGS), Waiting(SETTINGS)], threading.Event()
    stopped.set()
    run_all(relays, stopped)
    assert {each.condition.problem for each in relays} == {"stopped"}


def test_they_are_well_when_each_of_them_is() -> None:
    main, other = RelayStatus("main", problem=None), RelayStatus("other", problem=None)
    with serving([main, other], "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}/health"
        assert httpx2.get(url, timeout=BOUND_S).status_code == httpx2.codes.OK
        other.problem = "the database is gone"
        answer = httpx2.get(url, timeout=BOUND_S)
        assert answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE
        told = answer.json()
    assert told["problem"] is None
    assert [each["problem"] for each in told["others"]] == ["the database is gone"]
