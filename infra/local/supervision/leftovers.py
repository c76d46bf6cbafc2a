"""Processes of a stack that nobody supervises any more, e.g. after supervisord itself was killed."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

import psutil

from infra.local.supervision.conf import MARKER_VARIABLE

SUPERVISOR_WAIT_S = 90.0
TERMINATE_WAIT_S = 10.0
KILL_WAIT_S = 10.0


def find(home: Path) -> list[psutil.Process]:
    """Return the processes that carry this home's mark, and the database server if it works on its data.

    Children that hide their environment (Postgres does) are found through their parent.
    """
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _belongs(process, home):
            for member in (process, *_children(process)):
                found[member.pid] = member
    found.pop(os.getpid(), None)
    return list(found.values())


def end(home: Path) -> int:
    """End all of them, kindly at first, and return how many there were."""
    processes = find(home)
    supervisors = [process for process in processes if _is_supervisor(process)]
    # a supervisord that lost its socket still ends its programs in good order, and would restart them otherwise
    _signal(supervisors, signal.SIGTERM)
    psutil.wait_procs(supervisors, SUPERVISOR_WAIT_S)
    _, alive = psutil.wait_procs(processes, 0)
    databases = [process for process in alive if _name(process) == "postgres"]
    others = [process for process in alive if process not in databases]
    _signal(others, signal.SIGTERM)
    _, alive = psutil.wait_procs(others, TERMINATE_WAIT_S)
    _signal(
        [process for process in databases if not _has_parent_among(process, databases)],
        signal.SIGINT,
    )
    _, still = psutil.wait_procs(databases, TERMINATE_WAIT_S)
    _signal([*alive, *still], signal.SIGKILL)
    psutil.wait_procs([*alive, *still], KILL_WAIT_S)
    return len(processes)


def _belongs(process: psutil.Process, home: Path) -> bool:
    try:
        if process.environ().get(MARKER_VARIABLE) == str(home):
            return True
        return _name(process) == "postgres" and process.cwd() == str(home / "postgres" / "data")
    except (psutil.Error, OSError):
        return False  # ended meanwhile, or of another account and so not ours


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def _is_supervisor(process: psutil.Process) -> bool:
    try:
        return "supervisor.supervisord" in process.cmdline()
    except psutil.Error:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""


def _has_parent_among(process: psutil.Process, others: Iterable[psutil.Process]) -> bool:
    try:
        return process.ppid() in {other.pid for other in others}
    except psutil.Error:
        return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue
