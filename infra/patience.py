"""How long something may take, on a machine that may be busy with other things."""

import os
import time


class Patience:
    """Time as a process has it on this machine: a second counts for less while more want to run than can.

    How long something takes to start says little about whether it will, on a machine that is busy with other things.
    What hangs leaves it idle, and is given up after the full time.
    """

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._looked_at = time.monotonic()

    def look(self) -> float:
        """Return the seconds spent so far; to be asked again and again."""
        now = time.monotonic()
        self.spent_s += (now - self._looked_at) * _share_of_a_processor()
        self._looked_at = now
        return self.spent_s


def _share_of_a_processor() -> float:
    """Return how much of a processor there is for each of those that want to run, at most all of one."""
    try:
        busy, _, _ = os.getloadavg()
    except OSError:  # not told by this system
        return 1.0
    return min(1.0, (os.cpu_count() or 1) / max(1.0, busy))
