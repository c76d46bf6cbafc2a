"""What is measured: systems at work, and the processes that they are made of."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import psutil
import psycopg

from infra.local.supervision.client import Supervisor
from infra.services import SUPERUSER
from tests.bench.e2e.traffic import Steps, System
from tests.stack import RunningStack

SHARED = ("postgres", "kafka")
"""Parts of the stack that every contender uses."""


class AtWork(NamedTuple):
    """A system at work.

    Args:
        system: What its clients see.
        pids: The processes of its own, by what they do.
    """

    system: System
    pids: Mapping[str, int]


class Contender(Protocol):
    """Who is measured."""

    @property
    def name(self) -> str: ...

    def prepare(self, stack: RunningStack) -> None:
        """Make what it keeps its data in."""

    def at_work(self, stack: RunningStack, steps: Steps) -> AbstractContextManager[AtWork]:
        """Have it work until the block ends."""


class Spent(NamedTuple):
    """What was spent so far: processor time by process, and transactions of the database."""

    cpu_s: Mapping[str, float]
    commits: int


def spent(stack: RunningStack, at_work: AtWork) -> Spent:
    """Return what a system's processes, and those that it shares, have spent since they were started."""
    running = Supervisor(stack.settings.home).processes()
    pids = {name: running[name].pid for name in SHARED} | dict(at_work.pids)
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        cursor = connection.execute(
            "select xact_commit from pg_stat_database where datname = current_database()"
        )
        [[commits]] = cursor.fetchall()
    return Spent({name: cpu_s(pid) for name, pid in pids.items()}, commits)


def cpu_s(pid: int) -> float:
    """Return the processor time of a process and its children; those that have ended are not counted."""
    process = psutil.Process(pid)
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
