"""Waiting as long as there is progress: that something takes long on this machine is no finding, a standstill is."""

import time
from collections.abc import Callable

from infra.local.probe import ProbeTimeoutError
from infra.patience import Patience

INTERVAL_S = 0.02


def wait_through(
    what: str, probe: Callable[[], bool], progress: Callable[[], object], *, give_up_s: float
) -> float:
    """Wait for something; return the longest time for which nothing went forward meanwhile, as `Patience` counts it.

    Args:
        what: Completes the sentence "After 300 s without progress ...".
        probe: Tells whether it is there.
        progress: Returns something else than before when it went forward.
        give_up_s: How long nothing may go forward.

    Raises:
        ProbeTimeoutError: nothing went forward for so long.
    """
    longest_s, seen, patience = 0.0, progress(), Patience()
    while not probe():
        if (now := progress()) != seen:
            seen = now
            patience = Patience()
        longest_s = max(longest_s, patience.look())
        if longest_s > give_up_s:
            raise ProbeTimeoutError(f"After {give_up_s:.0f} s without progress {what}.")
        time.sleep(INTERVAL_S)
    return longest_s
