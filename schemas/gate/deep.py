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


def deeply(work: Callable[[], Result]) -> Result:
    """Return what some work returns that is done on a stack of its own."""
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            done.set_exception(error)

    with _roomy():
        threading.Thread(target=run, name="gate", daemon=True).start()
        return done.result()


@contextmanager
def _roomy() -> Iterator[None]:
    frames, stack = sys.getrecursionlimit(), threading.stack_size(STACK_BYTES)
    sys.setrecursionlimit(max(FRAMES, frames))
    try:
        yield
    finally:
        threading.stack_size(stack)
        sys.setrecursionlimit(frames)
