"""A circuit breaker: leaves a target alone that fails, and tries with one call whether it is back."""

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from producers.calling.settings import CallSettings

BUCKETS = 10
"""Parts of the window, which moves on by one of them at a time."""
JITTER = 0.2
"""Share by which the time of being open varies, so that many processes do not come back at once."""


class State(StrEnum):
    """Whether calls are let through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class OpenError(Exception):
    """The target is left alone for now.

    Args:
        retry_after_s: Seconds until the next call may be let through.
    """

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"left alone for another {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class _Bucket:
    number: int
    calls: int = 0
    failed: int = 0
    slow: int = 0


class CircuitBreaker:
    """Decides from how calls went whether the next one is made.

    Half-open, it lets one call through, and decides by that one alone.

    Args:
        settings: When to open, and for how long.
        changed: Called with the new state, whenever that is another one.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self,
        settings: CallSettings,
        changed: Callable[[State], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._changed = changed
        self._clock = clock
        self._bucket_s = settings.breaker_window_ms / 1000 / BUCKETS
        self._buckets = deque[_Bucket](maxlen=BUCKETS)
        self._opens_until = 0.0
        self._period = (
            0  # one more with each state; what was admitted in another says nothing of this one
        )
        self._is_probed = False
        self.state = State.CLOSED

    def admit(self) -> int:
        """Let a call through; return what `settle` and `forget` know it by.

        Raises:
            OpenError: it is not to be made.
        """
        if self.state is State.OPEN and self._clock() >= self._opens_until:
            self._go_to(State.HALF_OPEN)
        if self.state is State.OPEN:
            raise OpenError(self._opens_until - self._clock())
        if self.state is State.HALF_OPEN:
            if self._is_probed:
                raise OpenError(self._settings.breaker_open_ms / 1000)
            self._is_probed = True
        return self._period

    def settle(self, period: int, *, failed: bool, took_s: float) -> None:
        """Take into account how a call went that was let through."""
        if period != self._period:
            return
        slow = took_s >= self._settings.breaker_slow_ms / 1000
        if self.state is State.HALF_OPEN:
            self._go_to(State.OPEN if failed or slow else State.CLOSED)
            return
        bucket = self._current()
        bucket.calls += 1
        bucket.failed += failed
        bucket.slow += slow
        if (failed or slow) and self._is_bad():
            self._go_to(State.OPEN)

    def forget(self, period: int) -> None:
        """Take back a call that says nothing of the target, such as one that its caller gave up."""
        if period == self._period:
            self._is_probed = False

    def _current(self) -> _Bucket:
        number = int(self._clock() / self._bucket_s)
        if not self._buckets or self._buckets[-1].number != number:
            self._buckets.append(_Bucket(number))
        return self._buckets[-1]

    def _is_bad(self) -> bool:
        oldest = self._current().number - BUCKETS
        recent = [bucket for bucket in self._buckets if bucket.number > oldest]
        calls = sum(bucket.calls for bucket in recent)
        if calls < self._settings.breaker_minimum_calls:
            return False
        failed, slow = sum(each.failed for each in recent), sum(each.slow for each in recent)
        return (
            failed >= calls * self._settings.breaker_failure_rate
            or slow >= calls * self._settings.breaker_slow_rate
        )

    def _go_to(self, state: State) -> None:
        self.state = state
        self._period += 1
        self._is_probed = False
        self._buckets.clear()
        if state is State.OPEN:
            spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
            self._opens_until = self._clock() + spread * self._settings.breaker_open_ms / 1000
        self._changed(state)
