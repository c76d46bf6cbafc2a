"""Processes whose clock stands still: stopped by SIGSTOP or a debugger, they hold what they hold and answer nobody."""

import contextlib
import signal

import psutil

STOPPED = frozenset({psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP})


def frozen(pid: int) -> list[psutil.Process]:
    """Return the process and those of its descendants that stand still."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
    return [member for member in family if _stands_still(member)]


def wake(pid: int) -> None:
    """Let those go on that stand still, so that they can end when they are asked to."""
    for process in frozen(pid):
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGCONT)


def _stands_still(process: psutil.Process) -> bool:
    try:
        return process.status() in STOPPED
    except psutil.Error:
        return False  # ended meanwhile
