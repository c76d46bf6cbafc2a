"""Processes whose clock stands still: stopped by SIGSTOP or a debugger, they hold what they hold and answer nobody."""

import contextlib
import signal
from collections import defaultdict
from collections.abc import Iterable, Iterator

import psutil

STOPPED = frozenset({psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP})


def families(pids: Iterable[int]) -> dict[int, list[psutil.Process]]:
    """Return each process with its descendants, by one look at all processes; nothing for one that has ended."""
    members: dict[int, psutil.Process] = {}
    children: defaultdict[int, list[int]] = defaultdict(list)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            children[process.ppid()].append(process.pid)
            members[process.pid] = process

    def family(pid: int) -> Iterator[psutil.Process]:
        if pid in members:
            yield members[pid]
            for child in children[pid]:
                yield from family(child)

    return {pid: list(family(pid)) for pid in pids}


def frozen(family: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those of a process and its descendants that stand still."""
    return [member for member in family if stands_still(member.pid)]


def wake(pid: int) -> None:
    """Let those go on that stand still, so that they can end when they are asked to."""
    for process in frozen(families([pid])[pid]):
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGCONT)


def stands_still(pid: int) -> bool:
    """Tell whether a process does, whatever its descendants do."""
    try:
        return psutil.Process(pid).status() in STOPPED
    except psutil.Error:
        return False  # ended meanwhile
