"""Follows where a service is: one task asks the source, and the last good answer stands while that is away."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from cdc.logs import FieldLogger
from producers.discovery.instances import Instance, Source, SourceError

EMPTY_GRACE_S = 30.0
"""For how long a source has to say that there is no instance, before those that were known are let go."""
FIRST_PAUSE_S = 0.2
MOST_PAUSE_S = 10.0
"""Between attempts at a source that is away; doubling, and at random between half of it and the whole."""

Changed = Callable[[frozenset[Instance]], None]

log = FieldLogger(__name__)


@dataclass(slots=True)
class Resolver:
    """What is known of the instances of one service.

    Args:
        url: Where they are asked for, in logs and figures.
        changed: Called with the instances, whenever they are others.
    """

    url: str
    changed: Changed
    instances: frozenset[Instance] = frozenset()
    error: str | None = None
    _heard_at: float = field(init=False)
    _has_heard: asyncio.Event = field(default_factory=asyncio.Event)
    _letting_go: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self._heard_at = time.monotonic()

    async def ready(self, timeout_s: float) -> None:
        """Return when the source has said something for the first time, if only that it cannot, or the time is over."""
        if self._has_heard.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._has_heard.wait()

    async def follow(self, source: Source) -> None:
        """Ask the source for ever; whatever it does not say, what it said last stands."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                async for found in source.watch():
                    self.take(found)
                self._missed("it ended without a reason")
            except SourceError as error:
                self._missed(str(error))
            except Exception as error:
                log.exception("a source of instances broke", source=self.url)
                self._missed(f"{type(error).__name__}, which the log has more of")
            # one that answers and breaks, again and again, is not asked without a pause either
            failures = failures + 1 if time.monotonic() - began < MOST_PAUSE_S else 1
            await asyncio.sleep(pause_s(failures))

    def take(self, found: frozenset[Instance]) -> None:
        """Take over what the source says; of there being none it has to be sure."""
        if self.error is not None:
            log.info("the source of instances is back", source=self.url, instances=len(found))
        self.error, self._heard_at = None, time.monotonic()
        if found or not self.instances:
            self._keep()
            self._adopt(found)
        elif self._letting_go is None:
            loop = asyncio.get_running_loop()
            self._letting_go = loop.call_later(EMPTY_GRACE_S, self._adopt, found)

    def figures(self) -> Mapping[str, object]:
        """Return what operators see."""
        away_s = 0.0 if self.error is None else time.monotonic() - self._heard_at
        return {"source": self.url, "stale_s": round(away_s, 1), "source_error": self.error}

    def _missed(self, error: str) -> None:
        self._keep()
        if self.error is None:
            log.warning(
                "a source of instances is away, the last ones stand",
                source=self.url,
                because=error,
                instances=len(self.instances),
            )
        self.error = error
        self._has_heard.set()

    def _keep(self) -> None:
        """Take back that the instances are to be let go."""
        if self._letting_go is not None:
            self._letting_go.cancel()
            self._letting_go = None

    def _adopt(self, found: frozenset[Instance]) -> None:
        self._letting_go = None
        self._has_heard.set()
        if found != self.instances:
            log.info(
                "instances changed",
                source=self.url,
                instances=", ".join(map(str, sorted(found))) or "none",
            )
            self.instances = found
            self.changed(found)


def pause_s(failures: int) -> float:
    """Return how long to leave a source alone that failed so often in a row."""
    longest = min(MOST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret
