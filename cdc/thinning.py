"""Keeps repeated lines out of a log: the first ones are written, and then how many there were."""

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cdc.speaker import speaker

EVERY_S = 60.0
TALKATIVE = ("aiohttp", "aiokafka", "asyncio", "faust", "mode", "psycopg.pool")
"""Loggers of libraries that say the same several times a second: a server is away, descriptors are used up."""
INFORMATIVE = 10
"""Lines of the same that are written in that time when they are no warnings."""
CLIENTS = ".clients"
"""How the name of a logger ends that tells what clients got wrong: they decide how often."""
ABOUT_CLIENTS = 100
"""Lines of the same about clients that are written in that time."""
MOST_KEPT = 1000
"""Different lines that are remembered; beyond that the memory begins anew."""

_NUMBERS = re.compile(r"\d+")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Seen:
    since: float
    written: int = 0
    left_out: int = 0


class Thinning(logging.Filter):
    """Lets a line through once a minute, or a few times, and tells how many more there were.

    Two lines of a service are the same when they differ in numbers and in what is filled in only.

    Args:
        every_s: Seconds between two lines of the same.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._every_s = every_s
        self._clock = clock
        self._seen: dict[tuple[str, str, str], _Seen] = {}
        self._told_at = clock()
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be written; one that stands for others says so.

        Whatever comes after a minute, it first tells of what was left out and did not come again.
        """
        is_written = self._is_written(record)
        with self._lock:
            is_due = self._clock() - self._told_at >= self._every_s
        if is_due:
            self.tell()
        return is_written

    def _is_written(self, record: logging.LogRecord) -> bool:
        allowed = _allowed(record)
        if allowed is None:
            return True
        with self._lock:
            seen = self._sighting(
                (speaker.get(""), record.name, _NUMBERS.sub("#", str(record.msg)))
            )
            if seen.written >= allowed:
                seen.left_out += 1
                return False
            seen.written += 1
            left_out, seen.left_out = seen.left_out, 0
        if left_out:
            record.fields = {**getattr(record, "fields", {}), "left_out": left_out}
        return True

    def tell(self) -> None:
        """Log how many lines were left out that no other line has told of."""
        with self._lock:
            self._told_at = self._clock()
            left_out = {key: seen.left_out for key, seen in self._seen.items() if seen.left_out}
            for seen in self._seen.values():
                seen.left_out = 0
        if left_out:
            often, count = max(left_out.items(), key=lambda each: each[1])
            fields = {"lines": sum(left_out.values()), "most_often": often[2], "times": count}
            log.warning("repeated lines left out", extra={"fields": fields})

    def _sighting(self, key: tuple[str, str, str]) -> _Seen:
        """Return what was seen of a line in the minute that is now."""
        now = self._clock()
        if len(self._seen) >= MOST_KEPT and key not in self._seen:
            self._seen.clear()
        seen = self._seen.setdefault(key, _Seen(now))
        if now - seen.since >= self._every_s:
            seen.since, seen.written = now, 0
        return seen


def _allowed(record: logging.LogRecord) -> int | None:
    """Return how many lines like a record are written in a minute; None when all are."""
    if record.name.endswith(CLIENTS):
        return ABOUT_CLIENTS
    if record.name.startswith(TALKATIVE):
        return 1 if record.levelno >= logging.WARNING else INFORMATIVE
    return None
