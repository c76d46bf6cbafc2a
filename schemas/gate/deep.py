"""Runs what walks a document as deep as the document is nested, which the usual stack does not hold."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")

FRAMES = 60_000
"""Enough for `json_text.MAX_DEPTH` levels, each of which takes some calls."""
STACK_BYTES = 256 * 2**20
"""Address space, of which only what is needed becomes memory."""
AT_WORK = threading.Lock()
"""Held meanwhile, as both limits are those of the process."""
STACK = threading.local()


def deeply(work: Callable[[], Result]) -> Result:
    """Return what some work returns that is done on a stack of its own, one at a time; it may do more of that kind."""
    if hasattr(STACK, "is_deep"):
        return work()
    done: Future[Result] = Future()

    def run() -> None:
        STACK.is_deep = True
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            done.set_exception(error)

    with AT_WORK, _frames():
        around = threading.stack_size(STACK_BYTES)
        try:
            threading.Thread(target=run, name="gate", daemon=True).start()
        finally:
            threading.stack_size(around)
        return done.result()


@contextmanager
def _frames() -> Iterator[None]:
    around = sys.getrecursionlimit()
    sys.setrecursionlimit(max(FRAMES, around))
    try:
        yield
    finally:
        sys.setrecursionlimit(around)
