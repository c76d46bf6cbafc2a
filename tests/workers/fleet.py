"""Workers of one consumer group: started, ended and started again as a supervisor would."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from cdc.service import PREFIX, own_variable
from consumers.runtime.worker import STALLED
from infra.local.probe import ProbeTimeoutError, wait_until
from tests.kafka import Group, group_of
from tests.stack import RunningStack
from tests.workers import ledger
from tests.workers.process import WorkerProcess

SESSION_TIMEOUT_S = 6  # the broker allows no less; that long a killed worker keeps its partitions
HEARTBEAT_S = 1
ROLE = "analytics"
GENERATION = re.compile(r"Joined group '.*' \(generation (\d+)\)")
JOIN_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
LOOK_INTERVAL_S = 0.2


class Fleet:
    """The workers of a group, the members of which read all partitions of a topic between them.

    Args:
        stack: The running stack.
        directory: Where the workers note the calls of their handlers.
        consumer: Name of the consumer and of its group.
        topic: Topic to read.
        partitions: How many partitions it has.
    """

    def __init__(
        self, stack: RunningStack, directory: Path, *, consumer: str, topic: str, partitions: int
    ) -> None:
        self.workers: list[WorkerProcess] = []
        """Those that should run."""
        self.stalls: list[WorkerProcess] = []
        """Those that ended by themselves, to be started again."""
        self._stack = stack
        self._consumer = consumer
        self._partitions = partitions
        self._logs: list[Path] = []
        self._environment = {
            **stack.environment,
            "TAILRACE_DATABASE_URL": stack.database_url(ROLE),
            "TAILRACE_KAFKA_BOOTSTRAP": stack.settings.kafka_bootstrap,
            "TAILRACE_REGISTRY_URL": stack.settings.registry_url,
            "TAILRACE_SCHEMA_CACHE": str(stack.settings.schema_cache),
            "TAILRACE_PORT": "0",
            "TAILRACE_LEDGER_CONSUMER": consumer,
            "TAILRACE_LEDGER_TOPICS": json.dumps([topic]),
            "TAILRACE_LEDGER_DIRECTORY": str(directory),
            "FAUST_BROKER_SESSION_TIMEOUT": str(SESSION_TIMEOUT_S),
            "FAUST_BROKER_HEARTBEAT_INTERVAL": str(HEARTBEAT_S),
        }

    def own_variables(self, service: str) -> dict[str, str]:
        """Return what a worker of this group is told as one of several in a process, where it goes by a name."""
        return {
            own_variable(service, name.removeprefix(PREFIX)): value
            for name, value in self._environment.items()
            if name.startswith(f"{PREFIX}LEDGER_")
        }

    def launch(self, module: str = ledger.MODULE, /, **variables: str) -> WorkerProcess:
        """Start a worker, which is not expected to stay.

        Args:
            module: Its module.
            variables: What it is told besides.
        """
        log = self._stack.settings.home / "logs" / f"{self._consumer}-{len(self._logs)}.log"
        self._logs.append(log)
        return WorkerProcess(module, self._environment | variables, log)

    def start(self, number: int = 1, /, **variables: str) -> list[WorkerProcess]:
        """Start workers, and wait until the group has settled.

        Args:
            number: How many.
            variables: What they are told besides.
        """
        started = [self.launch(**variables) for _ in range(number)]
        self.workers += started
        self.wait_joined()
        return started

    def replace(self, worker: WorkerProcess) -> WorkerProcess:
        """Start a worker in the place of one that has ended, told the same."""
        successor = self.launch(**worker.environment)
        self.workers[self.workers.index(worker)] = successor
        return successor

    def stop(self, worker: WorkerProcess, *, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Have a worker end in good order, and return what it ended with."""
        self.workers.remove(worker)
        worker.ask_to_stop()
        return worker.wait(timeout_s)

    def generation(self) -> int:
        """Return how often the group was dealt out anew, as far as its workers have seen."""
        return max((int(found) for found in GENERATION.findall(self.logs())), default=0)

    def group(self) -> Group:
        """Return the group as Kafka sees it."""
        return group_of(self._stack, self._consumer)

    def wait_joined(self) -> float:
        """Wait until the group has settled, the workers are its members and work on all partitions between them."""

        def settled() -> bool:
            # a member may be one that was killed, so that the broker's word is not enough
            if not all(worker.is_ready() for worker in self.workers):
                return False
            held = sum(len(worker.partitions()) for worker in self.workers)
            group = self.group()
            return (
                held == self._partitions
                and group.is_stable
                and len(group.members) == len(self.workers)
            )

        return self.wait_until("the group has not settled", settled, timeout_s=JOIN_TIMEOUT_S)

    def wait_until(self, what: str, probe: Callable[[], bool], *, timeout_s: float = 60.0) -> float:
        """Wait for something that the workers are to do, and return the seconds that took.

        Meanwhile one that ends because it stands still is started again, and one that ends otherwise is an error.

        Args:
            what: Completes the sentence "After 30 s ...".
            probe: Tells whether it is done.
            timeout_s: Longest wait, in seconds.
        """

        def looked() -> bool:
            self._look()
            return probe()

        try:
            return wait_until(what, looked, timeout_s=timeout_s, interval_s=LOOK_INTERVAL_S)
        except ProbeTimeoutError as error:
            words = "\n".join(worker.last_words() for worker in self.workers)
            raise AssertionError(f"{error}\n{words}") from error

    def logs(self) -> str:
        """Return what all workers have written, those that have ended included."""
        return "\n".join(log.read_text(errors="replace") for log in self._logs)

    @contextlib.contextmanager
    def at_work(self) -> Iterator["Fleet"]:
        """Kill what still runs when the block ends."""
        try:
            yield self
        finally:
            for worker in self.workers:
                worker.kill()

    def _look(self) -> None:
        for worker in list(self.workers):
            if worker.status == STALLED:
                self.stalls.append(worker)
                self.replace(worker)
            else:
                assert worker.status is None, f"a worker has ended\n{worker.last_words()}"
