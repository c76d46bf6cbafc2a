"""A worker killed while one message is in progress and later ones are done: what becomes of the one."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from infra.local.probe import wait_until
from infra.settings import REPOSITORY
from tests.kafka import committed
from tests.produce import Maker, NewRecord, Place, create_topic, produce
from tests.stack import RunningStack
from tests.workers.ledger import Kind, Trouble, troubles
from tests.workers.trial import open_trial

STOCK_FAUST = "tests.chaos.stock_faust"
TIMEOUT_S = 60.0


class Scenario:
    """A topic of one partition, and a worker that journals what it does with each message.

    The worker is a module that is run with the broker, the topic (the name of its consumer group, too), the journal
    and perhaps the id of a message that it never finishes.
    """

    def __init__(self, stack: RunningStack, directory: Path) -> None:
        self.make = Maker(stack)
        self.topic = create_topic(stack)
        self._stack = stack
        self._journal = directory / "journal"
        self._log = directory / "worker.log"
        self._worker: subprocess.Popen[bytes] | None = None

    def start(self, module: str, *, stalled: UUID | None = None) -> None:
        """Start the worker."""
        arguments = [self._stack.settings.kafka_bootstrap, self.topic, str(self._journal)]
        with self._log.open("ab") as log:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", module, *arguments, *([str(stalled)] if stalled else [])],
                cwd=REPOSITORY,
                env=self._stack.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """Kill the worker with SIGKILL if it runs."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()

    def send(self, *records: NewRecord) -> list[Place]:
        """Send records to the one partition."""
        return produce(self._stack, self.topic, records)

    def wait_committed(self, place: Place) -> None:
        """Wait until the group would go on after this record."""
        self._wait(
            f"the record at offset {place.offset} was not committed",
            lambda: (committed(self._stack, self.topic, self.topic) or 0) > place.offset,
        )

    def wait_for(self, state: str, *records: NewRecord) -> None:
        """Wait until the journal says `begun` or `done` of every record."""
        self._wait(
            f"not all of {len(records)} messages were {state}",
            lambda: all(self.count(state, record) for record in records),
        )

    def count(self, state: str, record: NewRecord) -> int:
        """Return how often the journal says this of a record."""
        return self._entries()[f"{state} {record.message_id}"]

    def _entries(self) -> Counter[str]:
        return Counter(self._journal.read_text().splitlines() if self._journal.exists() else [])

    def _wait(self, what: str, probe: Callable[[], bool]) -> None:
        worker = self._worker
        assert worker is not None, "no worker was started"

        def probe_while_running() -> bool:
            assert worker.poll() is None, f"the worker ended by itself\n{self._log.read_text()}"
            return probe()

        wait_until(what, probe_while_running, timeout_s=TIMEOUT_S, interval_s=0.2)


@pytest.fixture
def scenario(stack: RunningStack, tmp_path: Path) -> Iterator[Scenario]:
    scenario = Scenario(stack, tmp_path)
    yield scenario
    scenario.kill()


def test_stock_faust_loses_a_message_in_flight(scenario: Scenario) -> None:
    earlier, stuck, *later, marker = (scenario.make.canary() for _ in range(6))
    scenario.start(STOCK_FAUST, stalled=stuck.message_id)
    # the group's place is the very message that will be stuck: Faust takes it for a hole in the log
    scenario.wait_committed(*scenario.send(earlier))

    *_, last = scenario.send(stuck, *later)
    scenario.wait_for("begun", stuck)
    scenario.wait_for("done", *later)
    scenario.wait_committed(last)
    assert scenario.count("done", stuck) == 0
    scenario.kill()

    # started again it would finish the message, but it is not given it
    scenario.start(STOCK_FAUST)
    scenario.send(marker)
    scenario.wait_for("done", marker)
    assert scenario.count("begun", stuck) == 1
    assert scenario.count("done", stuck) == 0


def test_our_runtime_does_not(stack: RunningStack, tmp_path: Path) -> None:
    with open_trial(stack, tmp_path, keys=6) as trial:
        earlier, stuck, *later, marker = trial.load.new(6)
        [worker] = trial.fleet.start(**troubles({stuck.message_id: Trouble(Kind.HANG)}))
        trial.load.send([earlier])
        trial.wait_effects(1)
        trial.load.send([stuck, *later])
        trial.wait_called(stuck.message_id)
        worker.kill()
        trial.fleet.workers.remove(worker)
        assert trial.effects() == 1

        trial.fleet.start()
        trial.load.send([marker])
        trial.wait_effects(6)
        entries = trial.assert_each_once_in_order()
        assert [entry.message_id for entry in entries][1] == stuck.message_id
        assert trial.calls()[stuck.message_id] == 2, "it was not tried before the kill"
