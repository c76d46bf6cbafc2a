"""Retrying, editing and skipping parked messages, each in one transaction with the note of who did it and why."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from psycopg.errors import LockNotAvailable

from consumers.runtime import postgres
from consumers.runtime.parked.message import Parked
from consumers.runtime.parked.reading import QUERIES, Connection

LOCK_WAIT_S = 5.0
"""How long a command waits for a sequence that a worker is trying just now."""

Done = Literal["done", "gone", "busy"]
"""What became of an action: done; not done, for the message is not there or not first any more; or not done, for a
worker holds the sequence for longer than the wait."""


class BusyError(Exception):
    """A worker is trying the message just now, and takes long."""


class GoneError(LookupError):
    """The message is not parked any more, or is not what it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """On whose account something is done.

    Args:
        actor: Who does it.
        why: The reason given.
    """

    actor: str
    why: str


class Actions:
    """Acts on the parked messages of one service's schema.

    Locks are taken as the worker takes them: the row of the sequence, one sequence in a transaction.

    Args:
        connection: Leads to it.
        by: Who acts, and why.
    """

    def __init__(self, connection: Connection, by: Audit) -> None:
        self._connection = connection
        self._by = by

    def retry(self, message: Parked, *, delay_s: float = 0.0) -> Done:
        """Have the sequence of a message tried, as if it had never failed.

        Args:
            message: First of its sequence.
            delay_s: In how many seconds.
        """
        try:
            with self._locked(message):
                if self._first(message) != message.parked_id:
                    return "gone"
                self._note("retry", message)
                parameters = {"sequence_id": message.sequence_id, "delay_s": delay_s}
                self._connection.execute(QUERIES["make_due"], parameters)
        except LockNotAvailable:
            return "busy"
        return "done"

    def skip(self, messages: Sequence[Parked]) -> list[Done]:
        """Take messages of one sequence out for good; what they were is kept with the note.

        When the first of a sequence is skipped, the next one is due at once.

        Args:
            messages: Of one sequence, at least one.

        Returns:
            What became of each.
        """
        try:
            with self._locked(messages[0]):
                first = self._first(messages[0])
                outcomes = [self._take_out(message) for message in messages]
                if first != self._first(messages[0]):
                    self._go_on(messages[0].sequence_id)
        except LockNotAvailable:
            return ["busy"] * len(messages)
        return outcomes

    def edit(self, message: Parked, old_value: bytes | None, new_value: bytes) -> None:
        """Change the value of a message; the next attempt takes the new one.

        Args:
            message: The message.
            old_value: The value that the change was made on.
            new_value: The new one.

        Raises:
            GoneError: the message is gone, or has another value by now.
            BusyError: a worker is trying the message.
        """
        try:
            with self._locked(message):
                row = self._connection.execute(
                    QUERIES["value"], {"parked_id": message.parked_id}
                ).fetchone()
                if row is None:
                    raise GoneError(f"{message.place} is not parked any more; nothing was changed")
                if row[0] != old_value:
                    raise GoneError(
                        f"{message.place} was edited by somebody else meanwhile; nothing was changed, look at it again"
                    )
                self._note("edit", message, new_value)
                parameters = {"parked_id": message.parked_id, "new_value": new_value}
                self._connection.execute(QUERIES["edit"], parameters)
        except LockNotAvailable:
            raise busy(message) from None

    @contextmanager
    def _locked(self, message: Parked) -> Iterator[None]:
        """Open a transaction that holds the sequence of a message."""
        with self._connection.transaction():
            self._connection.execute(
                "select set_config('lock_timeout', %s, true)", [f"{LOCK_WAIT_S * 1000:.0f}ms"]
            )
            self._connection.execute(QUERIES["lock"], {"sequence_id": message.sequence_id})
            yield

    def _first(self, message: Parked) -> int | None:
        row = self._connection.execute(
            QUERIES["first"], {"sequence_id": message.sequence_id}
        ).fetchone()
        return None if row is None else int(row[0])

    def _take_out(self, message: Parked) -> Done:
        if not self._note("skip", message):
            return "gone"
        self._connection.execute(
            postgres.QUERIES["remove_message"], {"parked_id": message.parked_id}
        )
        return "done"

    def _go_on(self, sequence_id: int) -> None:
        """Have the next message of a sequence tried, or end the sequence when there is none."""
        parameters = {"sequence_id": sequence_id}
        ended = self._connection.execute(postgres.QUERIES["remove_empty_sequence"], parameters)
        if not ended.rowcount:
            self._connection.execute(postgres.QUERIES["go_on_with_sequence"], parameters)

    def _note(self, action: str, message: Parked, new_value: bytes | None = None) -> bool:
        """Write down what is done, before it is done; tell whether the message is still there."""
        parameters = {
            "action": action,
            "actor": self._by.actor,
            "why": self._by.why,
            "parked_id": message.parked_id,
            "new_value": new_value,
        }
        return self._connection.execute(QUERIES["note"], parameters).rowcount == 1


def busy(message: Parked) -> BusyError:
    """Return the error about a message that a worker is trying just now."""
    return BusyError(
        f"{message.consumer} is at work on the messages of {message.place}'s key just now, for longer than "
        f"{LOCK_WAIT_S:g} s; nothing was changed, try again in a moment"
    )
