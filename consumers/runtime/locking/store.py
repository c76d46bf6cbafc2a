"""Where locks and the stash of one consumer are, as the runtime sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from cdc.kafka_record import KafkaRecord
from consumers.runtime.locking.lock import Freed, Holder, Want
from consumers.runtime.received import Received

Transaction = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Stashed:
    """A command that waits.

    Args:
        stash_id: Its identity; the smaller one came first.
        lock: Name of the lock.
        target: What it waits for.
        holder: The saga that it belongs to.
        record: The record as it was delivered.
        message_id: Id of the message.
        type: Full name of the message.
        expires_at: When it is dropped; None when it never is.
        stashed_at: Since when it waits; None where nobody keeps that.
    """

    stash_id: int
    lock: str
    target: str
    holder: Holder
    record: KafkaRecord
    message_id: str
    type: str
    expires_at: datetime | None
    stashed_at: datetime | None = None


class Overdue(NamedTuple):
    """A target that was held for longer than its lease."""

    lock: str
    target: str
    holder: Holder
    locked_at: datetime


class LockStore(Protocol):
    """Keeps the locks and the stash of one consumer."""

    async def lock(
        self,
        transaction: Transaction,
        wants: Sequence[Want],
        now: datetime,
        turn: int | None = None,
    ) -> Sequence[bool]:
        """Lock targets, the first want first; return which of them were granted.

        A target that its saga holds already is granted again. It is not granted while another saga holds it, while
        another command waits for it, or while an earlier command of the same saga waits for whatever target.

        Args:
            turn: A command that waits itself, whose turn has come: only those that came before it count as waiting.
        """

    async def stash(
        self, transaction: Transaction, waiting: Sequence[tuple[Want, Received[Any]]], now: datetime
    ) -> None:
        """Put commands aside that wait for their target, in their order."""

    async def free(self, transaction: Transaction, freed: Sequence[Freed]) -> int:
        """Take targets from sagas that are done with them; return how many of their waiting commands were dropped."""

    async def take_back(self, transaction: Transaction, now: datetime) -> Sequence[Overdue]:
        """Take targets from sagas whose lease is over, and return which."""

    async def take_ready(
        self, transaction: Transaction, now: datetime, limit: int
    ) -> Sequence[Stashed]:
        """Return commands whose turn has come, or that have expired, locked against others until the end."""

    async def behind(self, transaction: Transaction, row: Stashed) -> Sequence[Stashed]:
        """Return what waits of the same saga behind a command, and came by the same topic."""

    async def unstash(self, transaction: Transaction, stash_id: int) -> None:
        """Remove a command that waits no more."""
