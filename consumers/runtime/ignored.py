"""Events that a consumer has no handler for: ignored, counted by type, and logged once for each."""

import logging
from collections import Counter
from collections.abc import Mapping

from cdc.text import printable

LONGEST_NAME = 200
MOST_TYPES = 100
"""Types that are counted by name. They are what senders wrote, and must not fill the memory or the log."""
OTHER_TYPES = b"(other types)"

log = logging.getLogger(__name__)


class Ignored:
    """Counts ignored deliveries since the process started.

    Args:
        consumer: Name of the consumer.
    """

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer
        self._counts: Counter[bytes] = Counter()

    def note(self, type_: bytes) -> None:
        """Count a delivery.

        Args:
            type_: Full name of the message as the header gives it.
        """
        name = type_[:LONGEST_NAME]
        if name not in self._counts:
            if len(self._counts) < MOST_TYPES:
                log.info("%s ignores %s, having no handler for it", self._consumer, _text(name))
            else:
                name = OTHER_TYPES
        self._counts[name] += 1

    def counts(self) -> Mapping[str, int]:
        """Return the number of deliveries by type."""
        return {_text(name): count for name, count in self._counts.items()}


def _text(name: bytes) -> str:
    return printable(name.decode(errors="backslashreplace"))
