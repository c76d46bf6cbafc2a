"""Ctrl-C that is not lost.

The interpreter raises KeyboardInterrupt wherever the main thread happens to be. Inside a finalizer or the callback of a
weak reference nobody can catch it: it is handed to `sys.unraisablehook`, and the program goes on as if nobody had
pressed anything. Every import ends in such a callback, and our commands import late.

Inside code that was given to `exec` as text, as that of every dataclass is, the interpreter also notes that nobody
caught it, even if somebody does a moment later; `python -m` then dies of SIGINT, whatever exit code it was given
(python/cpython, `_Py_UnhandledKeyboardInterrupt`).
"""

import _thread
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE_S = 0.05  # for the main thread to come out of the code that nobody can interrupt


@contextmanager
def reraise_lost_interrupts() -> Iterator[None]:
    """While this is entered, an interrupt that nobody could catch is raised again a moment later."""
    previous = sys.unraisablehook

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            threading.Timer(PAUSE_S, _thread.interrupt_main).start()
        else:
            previous(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = previous


def forget_interrupt() -> None:
    """Have the process end with the exit code it is given, after an interrupt that was caught."""
    exec("")  # noqa: S102 - whatever is executed as text next takes that note away
