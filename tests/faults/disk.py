"""A disk that takes nothing more, for the processes of one part: `EFBIG` at each write instead of `ENOSPC`."""

import contextlib
import time
from collections.abc import Callable, Iterable

import psutil

EVERY_S = 0.1
Look = Callable[[], Iterable[psutil.Process]]


def fill(look: Look, hold_s: float) -> None:
    """Have processes write to no file for a while.

    Args:
        look: Returns them, parents first; those count that are started meanwhile.
        hold_s: For how long, in seconds.
    """
    until = time.monotonic() + hold_s
    try:
        while time.monotonic() < until:
            _limit(look(), is_full=True)
            time.sleep(EVERY_S)
    finally:
        # again, as a child may have been forked before its parent was looked at
        while _limit(look(), is_full=False):
            pass


def _limit(processes: Iterable[psutil.Process], *, is_full: bool) -> bool:
    """Set the size that files may have at most, and tell whether it was another one before."""
    changed = False
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            soft, hard = process.rlimit(psutil.RLIMIT_FSIZE)
            wanted = 0 if is_full else hard
            if soft != wanted:
                process.rlimit(psutil.RLIMIT_FSIZE, (wanted, hard))
                changed = True
    return changed
