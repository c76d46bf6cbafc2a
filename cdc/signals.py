"""The signals by which supervision and people have a process end in good order."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOP = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def told_to_stop(stop: Callable[[int], None]) -> Iterator[None]:
    """Have SIGTERM and SIGINT call a function while the block runs in a loop, instead of ending the process."""
    loop = asyncio.get_running_loop()
    for number in STOP:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in STOP:
            loop.remove_signal_handler(number)


def stop_event() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set from now on, instead of ending the process, which has no loop."""
    stopped = threading.Event()
    for number in STOP:
        signal.signal(number, lambda *_: stopped.set())
    return stopped
