"""Clocks that can be set, each for one program of ours: `python -m tests.clocks FILE MODULE ARGUMENTS...`.

What has passed is measured as ever, as it is by a machine whose clock is set.
"""

import runpy
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

EVERY_S = 0.05


def set_clock(file: Path, off_s: int) -> None:
    """Set the clock of programs that follow a file to so many seconds ahead of the time, or behind it."""
    new = file.with_suffix(".new")
    new.write_text(str(off_s))
    new.replace(file)


def follow(file: Path) -> None:
    """Go by a clock that is set by a file from now on."""
    clock = time_machine.travel(datetime.now(UTC)).start()
    threading.Thread(target=_follow, args=(file, clock), daemon=True).start()


def _follow(file: Path, clock: time_machine.Traveller) -> None:
    off_s = 0
    while True:
        if (wanted_s := int(file.read_text())) != off_s:
            clock.shift(timedelta(seconds=wanted_s - off_s))
            off_s = wanted_s
        time.sleep(EVERY_S)


if __name__ == "__main__":
    _, file, module, *sys.argv[1:] = sys.argv
    follow(Path(file))
    runpy.run_module(module, run_name="__main__", alter_sys=True)
