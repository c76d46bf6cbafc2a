"""How long whoever asked still waits: the budget of a request, which every call and statement made for it keeps to.

It is a point on this process's monotonic clock. What travels between processes is the time that remains, since their
clocks need not agree. It lies in a context variable, so that the code between an edge and a client need not pass it on,
and a client cannot forget it.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

LEAST_S = 0.002  # nothing is begun with less: no service and no database answers in it


class DeadlineExceededError(TimeoutError):
    """There is not enough time left to do it."""


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """A point in time, comparable: the smaller one is the earlier."""

    at: float  # seconds of time.monotonic()

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    def remaining_s(self) -> float:
        """Return the seconds that remain; negative once it has passed."""
        return self.at - time.monotonic()

    def require(self, seconds: float) -> float:
        """Return the seconds that remain; DeadlineExceededError when they are fewer than those that it takes."""
        remaining_s = self.remaining_s()
        if remaining_s < seconds:
            raise DeadlineExceededError(
                f"{max(remaining_s, 0) * 1000:.0f} ms remain, and it takes {seconds * 1000:.0f} ms"
            )
        return remaining_s


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current_deadline() -> Deadline | None:
    """Return the deadline of what is being done; None outside of any request."""
    return _current.get()


def within(deadline: Deadline) -> AbstractContextManager[Deadline]:
    """Do what is inside by this deadline, or by the one that holds already if that is earlier."""
    outer = _current.get()
    return afresh(deadline if outer is None else min(deadline, outer))


@contextmanager
def afresh(deadline: Deadline) -> Iterator[Deadline]:
    """Do what is inside by this deadline alone, as a part of what may go on when the one that holds is over."""
    token = _current.set(deadline)
    try:
        yield deadline
    finally:
        _current.reset(token)
