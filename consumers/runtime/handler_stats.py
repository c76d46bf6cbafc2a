"""How often the handlers of a worker are called, how long they take, and how often they fail."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.runtime.middleware import CallNext
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work


@dataclass(slots=True)
class HandlerStats:
    """Totals of one handler since the process started, of attempts that were rolled back too.

    Args:
        calls: How often it was called.
        messages: With how many messages in all.
        failures: How many of the calls raised an error.
        seconds: How long the calls took in all.
    """

    calls: int = 0
    messages: int = 0
    failures: int = 0
    seconds: float = 0.0


class HandlerMeter:
    """Middleware that measures the handlers of one worker."""

    def __init__(self) -> None:
        self._stats: dict[str, HandlerStats] = {}

    async def __call__(
        self, received: Sequence[Received[Any]], work: Work | BulkWork, call_next: CallNext
    ) -> None:
        """Measure one call."""
        handler = received[0].handler
        stats = self._stats.setdefault(handler.name if handler else "", HandlerStats())
        stats.calls += 1
        stats.messages += len(received)
        begin = time.perf_counter()
        try:
            await call_next()
        except Exception:
            stats.failures += 1
            raise
        finally:
            stats.seconds += time.perf_counter() - begin

    def stats(self) -> Mapping[str, HandlerStats]:
        """Return the totals by the type of the message, or by the function that takes several."""
        return self._stats
