"""Messages that a consumer passes over: counted by type, and logged once for each."""

import logging
from collections import Counter
from collections.abc import Mapping

from cdc.text import printable

LONGEST_NAME = 200
MOST_TYPES = 100
"""Types that are counted by name. They are what senders wrote, and must not fill the memory or the log."""
OTHER_TYPES = b"(other types)"

log = logging.getLogger(__name__)


class TypeCounts:
    """Counts deliveries since the process started.

    Args:
        line: What is logged of the first of each type; `%s` stands for the type.
    """

    def __init__(self, line: str) -> None:
        self._line = line
        self._counts: Counter[bytes] = Counter()

    def note(self, type_: bytes) -> None:
        """Count a delivery.

        Args:
            type_: Full name of the message as the header gives it.
        """
        name = type_[:LONGEST_NAME]
        if name not in self._counts:
            if len(self._counts) < MOST_TYPES:
                log.info(self._line, _text(name))
            else:
                name = OTHER_TYPES
        self._counts[name] += 1

    def counts(self) -> Mapping[str, int]:
        """Return the number of deliveries by type."""
        return {_text(name): count for name, count in self._counts.items()}


def _text(name: bytes) -> str:
    return printable(name.decode(errors="backslashreplace"))
