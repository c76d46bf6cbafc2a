"""What a process knows of a service that it calls: whether to call it now, and how calls went."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from cdc.logs import FieldLogger
from producers.calling.breaker import CircuitBreaker, OpenError, State
from producers.calling.retries import RetryBudget
from producers.calling.settings import CallSettings
from producers.discovery.service_instances import ServiceInstances

CONNECT_TIMEOUT_S = 1.0
CONNECT_SHARE = 0.5
"""Of the time that remains, while another instance can be called if this one does not take the connection."""
FAIR_S = 0.25
"""A call that had less time than this and did not end says more about its caller than about the target."""
LEAST_AGAIN_S = 0.02
"""With less left, nothing is called again; nor with less than it took in vain."""

log = FieldLogger(__name__)


class NotCalledError(Exception):
    """The target is not called now, and knows nothing of it.

    Args:
        reason: Why not, to follow the name of the target.
        retry_after_s: Seconds after which it may be worth while.
    """

    def __init__(self, reason: str, *, retry_after_s: float) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Attempt:
    """One call. It says nothing of the target until it is known how it went."""

    failed: bool | None = None


@dataclass(slots=True)
class CallCounts:
    """What became of calls since the start."""

    attempts: int = 0
    failures: int = 0
    retries: int = 0
    refused_open: int = 0  # as the breaker was open
    refused_full: int = 0  # as too many were under way


class Target:
    """A service that is called, behind a breaker and a bound of calls in flight.

    Args:
        name: Its name, in logs and figures.
        settings: Bounds of the calls to it.
        instances: Where they go; None of what has only one place.
    """

    def __init__(
        self,
        name: str,
        settings: CallSettings,
        instances: ServiceInstances | None = None,
    ) -> None:
        self.name = name
        self.instances = instances
        self.settings = settings
        self.counts = CallCounts()
        self.retries = RetryBudget()
        self.in_flight = 0
        self.breaker = CircuitBreaker(settings, self._changed)

    @contextmanager
    def attempt(self) -> Iterator[Attempt]:
        """Make one call within the block, which says how it went.

        Raises:
            NotCalledError: it is not to be made.
        """
        if self.in_flight >= self.settings.calls_in_flight:
            self.counts.refused_full += 1
            raise NotCalledError(
                f"has {self.in_flight} calls under way from here, as many as may be",
                retry_after_s=1,
            )
        try:
            period = self.breaker.admit()
        except OpenError as error:
            self.counts.refused_open += 1
            raise NotCalledError(
                "failed too often or took too long, and is left alone for a moment",
                retry_after_s=error.retry_after_s,
            ) from None
        attempt, began = Attempt(), time.monotonic()
        self.counts.attempts += 1
        self.in_flight += 1
        try:
            yield attempt
        finally:
            self.in_flight -= 1
            self._settle(period, attempt, time.monotonic() - began)

    def figures(self) -> Mapping[str, object]:
        """Return what operators see."""
        counts = self.counts
        return {
            "state": self.breaker.state.value,
            "in_flight": self.in_flight,
            "attempts": counts.attempts,
            "failures": counts.failures,
            "retries": counts.retries,
            "retries_left": int(self.retries.left),
            "refused_open": counts.refused_open,
            "refused_full": counts.refused_full,
            **({} if self.instances is None else self.instances.figures()),
        }

    def _settle(self, period: int, attempt: Attempt, took_s: float) -> None:
        if attempt.failed is None:
            self.breaker.forget(period)
            return
        self.counts.failures += attempt.failed
        if not attempt.failed:
            self.retries.deposit()
        self.breaker.settle(period, failed=attempt.failed, took_s=took_s)

    def _changed(self, state: State) -> None:
        tell = log.warning if state is State.OPEN else log.info
        tell(
            "circuit breaker changed",
            target=self.name,
            state=state.value,
            attempts=self.counts.attempts,
            failures=self.counts.failures,
        )
