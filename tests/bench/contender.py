"""A contender at work: a worker process of its own, watched from outside."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from confluent_kafka.admin import AdminClient

from infra.local.probe import ProbeTimeoutError, wait_until
from infra.local.supervision.client import tail
from infra.local.supervision.conf import MARKER_VARIABLE
from infra.pipeline import unstable_groups
from infra.settings import REPOSITORY
from tests.bench.errors import BenchError
from tests.stack import RunningStack

ROLE = "analytics"
"""Database role that contenders work with, and the schema that they work in."""
JOIN_TIMEOUT_S = 60.0
LOOK_INTERVAL_S = 0.2
STOP_TIMEOUT_S = 30.0
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


class Contender:
    """A running worker.

    Args:
        process: Its process.
        log: The file that it writes to.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self._peak_rss_mb = 0.0

    @property
    def peak_rss_mb(self) -> float:
        """Most memory that it was seen to hold; on Linux, that it held until it was last seen."""
        return self._peak_rss_mb

    def cpu_percent(self, seconds: float) -> float:
        """Return how much of one processor it takes in so many seconds from now on."""
        return float(psutil.Process(self._process.pid).cpu_percent(seconds))

    def wait_until(self, what: str, probe: Callable[[], bool], timeout_s: float) -> None:
        """Wait for something that the worker is to do.

        Args:
            what: Completes the sentence "After 30 s ...".
            probe: Tells whether it is done.
            timeout_s: Longest wait, in seconds.

        Raises:
            BenchError: it has ended, or the time is over.
        """

        def looked() -> bool:
            self.look()
            return probe()

        try:
            wait_until(what, looked, timeout_s=timeout_s, interval_s=LOOK_INTERVAL_S)
        except ProbeTimeoutError as error:
            raise BenchError(f"{error} {self._last_words()}") from error

    def stop(self) -> None:
        """End it, in good order if it can."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def look(self) -> None:
        """See that it runs, and how much memory it holds.

        Raises:
            BenchError: it has ended.
        """
        if self._process.poll() is not None:
            raise BenchError(
                f"The worker has ended with {self._process.returncode}. {self._last_words()}"
            )
        self._peak_rss_mb = max(self._peak_rss_mb, _peak_rss_mb(self._process.pid))

    def _last_words(self) -> str:
        lines = (f"\n    {line}" for line in tail(self._log, 15))
        return f"The log of {self._log.stem} ends:{''.join(lines)}"


@contextmanager
def at_work(
    stack: RunningStack, module: str, *, topic: str, group: str, member: int = 0
) -> Iterator[Contender]:
    """Run a contender, a member of its group, until the block ends.

    Args:
        stack: The running stack.
        module: Its module.
        topic: Topic that it reads.
        group: Its consumer group, and its name in an inbox.
        member: Its number among those of the group that run at once.

    Raises:
        BenchError: it does not join its group.
    """
    environment = {
        **stack.environment,
        MARKER_VARIABLE: str(stack.settings.home),  # it does not outlive the stack
        "TAILRACE_DATABASE_URL": stack.database_url(ROLE),
        "TAILRACE_KAFKA_BOOTSTRAP": stack.settings.kafka_bootstrap,
        "TAILRACE_REGISTRY_URL": stack.settings.registry_url,
        "TAILRACE_SCHEMA_CACHE": str(stack.settings.schema_cache),
        "TAILRACE_BENCH_TOPIC": topic,
        "TAILRACE_BENCH_GROUP": group,
    }
    log = stack.settings.home / "logs" / f"{group}-{member}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    contender = Contender(process, log)
    try:
        _wait_until_joined(contender, stack, group)
        yield contender
    finally:
        contender.stop()


def _wait_until_joined(contender: Contender, stack: RunningStack, group: str) -> None:
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap, "log_level": 0})
    contender.wait_until(
        f"{group} has not joined its consumer group",
        lambda: not unstable_groups(admin, [group]),
        timeout_s=JOIN_TIMEOUT_S,
    )


def _peak_rss_mb(pid: int) -> float:
    try:
        found = PEAK.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        found = None
    if found:
        return int(found[1]) / 2**10
    try:
        return float(psutil.Process(pid).memory_info().rss / 2**20)
    except psutil.Error:
        return 0.0  # it has just ended
