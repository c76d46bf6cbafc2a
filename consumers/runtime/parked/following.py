"""Watching what becomes of sequences that somebody had retried."""

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg.rows import dict_row

from consumers.runtime.parked.message import Parked, RecordPosition
from consumers.runtime.parked.reading import QUERIES, Connection


@dataclass(frozen=True, slots=True)
class FailedAgain:
    """A sequence that was stopped by another failure.

    Args:
        consumer: Its consumer.
        place: The message that failed.
        retried: The message that was to be tried again; where it is another one, it has taken effect.
        error_class: Qualified name of the error.
        error_text: What it says.
    """

    consumer: str
    place: RecordPosition
    retried: RecordPosition
    error_class: str
    error_text: str

    @property
    def is_behind(self) -> bool:
        """Whether the message that was to be tried has taken effect, and one behind it failed."""
        return self.place != self.retried


class Followed:
    """Sequences of one schema that were made due.

    Args:
        connection: Leads to the schema.
        messages: The first message of each.
    """

    def __init__(self, connection: Connection, messages: Iterable[Parked]) -> None:
        self._connection = connection
        self._waiting = {message.sequence_id: message for message in messages}
        self.through = 0
        """Sequences whose messages have all taken effect."""
        self.failed: list[FailedAgain] = []

    @property
    def waiting(self) -> list[Parked]:
        """The first messages of sequences of which nothing is known yet."""
        return list(self._waiting.values())

    def look(self) -> None:
        """See how far they have come."""
        if not self._waiting:
            return
        with self._connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(
                QUERIES["progress"], {"sequence_ids": list(self._waiting)}
            ).fetchall()
        there = {row["sequence_id"]: row for row in rows}
        for sequence_id, message in list(self._waiting.items()):
            row = there.get(sequence_id)
            if row is None:
                self.through += 1
            elif row["attempts"]:
                failed = FailedAgain(
                    consumer=message.consumer,
                    place=RecordPosition(row["topic"], row["partition"], row["offset"]),
                    retried=message.place,
                    error_class=row["error_class"],
                    error_text=row["error_text"],
                )
                self.failed.append(failed)
            else:
                continue
            del self._waiting[sequence_id]
