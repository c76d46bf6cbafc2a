"""Processes of a stack that nobody supervises any more, e.g. after supervisord itself was killed."""

import os
import signal
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

import psutil

from infra.local.supervision.conf import MARKER_VARIABLE

SUPERVISOR_WAIT_S = 90.0
TERMINATE_WAIT_S = 10.0
KILL_WAIT_S = 10.0

T = TypeVar("T")


def find(home: Path) -> list[psutil.Process]:
    """Return the processes that carry this home's mark, and the database server if it works on its data.

    Children that hide their environment (Postgres does) are found through their parent.
    """
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _belongs(process, home):
            children = partial(process.children, recursive=True)
            for member in (process, *_answer(children, list[psutil.Process]())):
                found[member.pid] = member
    found.pop(os.getpid(), None)
    return list(found.values())


def end(home: Path) -> int:
    """End all of them, kindly at first, and return how many there were."""
    processes = find(home)
    supervisors = [
        each for each in processes if "supervisor.supervisord" in _answer(each.cmdline, [])
    ]
    # a supervisord that lost its socket still ends its programs in good order, and would restart them otherwise
    _signal(supervisors, signal.SIGTERM)
    psutil.wait_procs(supervisors, SUPERVISOR_WAIT_S)
    _, alive = psutil.wait_procs(processes, 0)
    databases = [process for process in alive if _is_postgres(process)]
    others = [process for process in alive if process not in databases]
    _signal(others, signal.SIGTERM)
    _, alive = psutil.wait_procs(others, TERMINATE_WAIT_S)
    servers = {process.pid for process in databases}
    _signal([each for each in databases if _answer(each.ppid, 0) not in servers], signal.SIGINT)
    _, still = psutil.wait_procs(databases, TERMINATE_WAIT_S)
    _signal([*alive, *still], signal.SIGKILL)
    psutil.wait_procs([*alive, *still], KILL_WAIT_S)
    return len(processes)


def _belongs(process: psutil.Process, home: Path) -> bool:
    try:
        marked = process.environ().get(MARKER_VARIABLE)
        # which it may have been given by a symbolic link
        if marked and Path(marked).resolve() == home:
            return True
        # of whichever server it is, and although its data were moved aside meanwhile
        return _is_postgres(process) and Path(process.cwd()).is_relative_to(home)
    except (psutil.Error, OSError):
        return False  # ended meanwhile, or of another account and so not ours


def _is_postgres(process: psutil.Process) -> bool:
    return _answer(process.name, "") == "postgres"


def _answer(question: Callable[[], T], otherwise: T) -> T:
    try:
        return question()
    except psutil.Error:
        return otherwise  # ended meanwhile


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue
