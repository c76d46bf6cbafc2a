"""A disk that takes nothing more, for the processes of one part: `EFBIG` at each write instead of `ENOSPC`."""

import contextlib
import os
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

EVERY_S = 0.1
TIMEOUT_S = 30
LIMIT = re.compile(r"^Max file size +(\S+) +(\S+)", re.MULTILINE)
SET = 'for pid; do prlimit --pid "$pid" --fsize="$limit": || [ ! -e "/proc/$pid" ]; done'
"""A process is asked each for itself, and may have ended."""
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
    changes: dict[tuple[str, int, int], list[str]] = defaultdict(list)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            found = LIMIT.search(Path(f"/proc/{process.pid}/limits").read_text())
            if found and found[1] != (wanted := "0" if is_full else found[2]):
                account = process.uids().real, process.gids().real
                changes[wanted, *account].append(str(process.pid))
    for (wanted, user, group), pids in changes.items():
        # root, too, may need to be the account whose process it is: CAP_SYS_RESOURCE is not there in each container
        is_own = user == os.geteuid()
        subprocess.run(
            ["sh", "-c", SET, "sh", *pids],
            env={"PATH": os.defpath, "limit": wanted},
            user=None if is_own else user,
            group=None if is_own else group,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
    return bool(changes)
