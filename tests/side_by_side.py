"""Tests side by side: which of them stay together, what each process has for itself, and who runs alone.

`pytest` without more runs everything in one process and needs none of this.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import gettempdir

PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
"""Name of this process among those that run tests."""
FIRST_PORT, PORTS, SHARES = 20_000, 12_000, 24
STACK_MB = 2_000
"""What a stack and the tests on it take, with something to spare."""
MOST_STACKS = 8
ON_THE_RELAY = re.compile(r"tests/e2e/.*[\[-]relay[\]-]")
APART = re.compile(
    r"tests/(e2e/|chaos/test_(faults|sagas_killed)\.py|integration/test_(flow|reports|stock_check|users)\.py)"
)
"""Tests that stop or kill a consumer while others go on, so that it needs a process of its own."""
NEEDS_NO_STACK = re.compile(r"tests/(unit|contract|component)/")
ONE_BY_ONE = re.compile(r"tests/chaos/(?!test_(cluster|log_moves)\.py)")
"""Tests that take long, and have nothing in common with the others of their file."""


def stacks_that_fit(cores: int, available_mb: int) -> int:
    """Return on how many stacks tests run side by side, if nobody says: one for each core, if memory allows."""
    return max(1, min(cores, available_mb // STACK_MB, MOST_STACKS))


def own_ports() -> range:
    """Return the ports that this process may take, and no other one that runs tests on this machine.

    They lie below the range from which systems pick those of outgoing connections, so that none is lost while a part
    is down.
    """
    width = PORTS // SHARES
    begin = FIRST_PORT + _share() * width
    return range(begin, begin + width)


@cache
def _share() -> int:
    """Take a share of the ports, until this process ends."""
    for number in range(SHARES):
        lock = Path(gettempdir()) / f"tailrace-tests-{os.geteuid()}-{number}"
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return number
    raise RuntimeError(f"{SHARES} processes run tests on this machine, and no ports are left.")


def unit_of(test: str) -> str:
    """Return what a test stays together with, by its id: the tests of its file.

    What runs on the relay stays together as a whole, and what runs on consumers apart: a stack takes long to change.
    """
    if ON_THE_RELAY.match(test):
        return "on the relay"
    if APART.match(test) and test.startswith("tests/integration/"):
        return "apart"
    return test if ONE_BY_ONE.match(test) else test.partition("::")[0]


def rank(test: str, *, alone: bool) -> tuple[int, ...]:
    """Return where a test stands among those of its kind, by its id.

    Faults which others are kept from meanwhile come last, when there are no others, and those of stacks of their own
    at the very end. What runs on consumers apart is next to each other: a stack takes long to change.
    """
    last = alone and test.startswith("tests/chaos/")
    is_apart = bool(APART.match(test))
    return ("/test_cluster.py" in test, last, is_apart != last)


class Turns:
    """Lets tests run beside those of other processes, or one of them alone.

    Args:
        directory: The same for all processes.
    """

    def __init__(self, directory: Path) -> None:
        self._door = directory / "door"
        self._floor = directory / "floor"
        self._starts = directory / "starts"

    def is_free(self) -> bool:
        """Tell whether nobody waits to be alone, and nobody is."""
        try:
            with _locked(self._door, fcntl.LOCK_EX | fcntl.LOCK_NB):
                return True
        except BlockingIOError:
            return False

    def starting(self) -> AbstractContextManager[None]:
        """Start a stack while nobody else does: side by side they would all take longer."""
        return _locked(self._starts, fcntl.LOCK_EX)

    @contextmanager
    def taken(self, *, alone: bool) -> Iterator[None]:
        """Take a turn; one who is to be alone waits for those who are at it, and meanwhile nobody begins."""
        with ExitStack() as floor:
            with _locked(self._door, fcntl.LOCK_EX):
                floor.enter_context(_locked(self._floor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
            yield


@contextmanager
def _locked(file: Path, kind: int) -> Iterator[None]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)
