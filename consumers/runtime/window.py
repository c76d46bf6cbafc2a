"""Which message ids an inbox can keep: a UUIDv7 tells when it was made, and its day has a partition or not."""

from dataclasses import dataclass

EVERYTHING = ""
"""Sorts before the text of every id."""


@dataclass(slots=True)
class InboxWindow:
    """The range of ids that the inbox's partitions cover.

    UUIDv7 sort by their time, as numbers and as text (RFC 9562, section 5.7).

    Attributes:
        first: Smallest id that is covered, as text; empty when there is no lower bound.
        end: Smallest id that is not covered any more, as text; None when there is no upper bound.
    """

    first: str = EVERYTHING
    end: str | None = None

    def remembers(self, message_id: str) -> bool:
        """Tell whether an id is not older than what is covered."""
        return message_id >= self.first

    def begins_before(self, message_id: str) -> bool:
        """Tell whether an id is not from a time for which there is no partition yet."""
        return self.end is None or message_id < self.end
