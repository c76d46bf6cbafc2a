"""Messages that a consumer passes over: counted by type, and logged once for each."""

from collections import Counter
from collections.abc import Mapping

from cdc.logs import FieldLogger
from cdc.text import printable

LONGEST_NAME = 200
MOST_TYPES = 100
"""Types that are counted by name. They are what senders wrote, and must not fill the memory or the log."""
OTHER_TYPES = b"(other types)"

log = FieldLogger(__name__)


class TypeCounts:
    """Counts deliveries since the process started.

    Args:
        consumer: Name of the consumer.
        event: What is logged of the first of each type.
    """

    def __init__(self, consumer: str, event: str) -> None:
        self._consumer = consumer
        self._event = event
        self._counts: Counter[bytes] = Counter()

    def note(self, type_: bytes) -> None:
        """Count a delivery.

        Args:
            type_: Full name of the message as the header gives it.
        """
        name = type_[:LONGEST_NAME]
        if name not in self._counts:
            if len(self._counts) < MOST_TYPES:
                log.info(self._event, consumer=self._consumer, type=_text(name))
            else:
                name = OTHER_TYPES
        self._counts[name] += 1

    def counts(self) -> Mapping[str, int]:
        """Return the number of deliveries by type."""
        return {_text(name): count for name, count in self._counts.items()}


def _text(name: bytes) -> str:
    return printable(name.decode(errors="backslashreplace"))
