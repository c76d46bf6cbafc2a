"""What a consumer's runtime keeps, and what it asks of whoever keeps it: inbox, position and parked messages.

The processor and the retrier are written against `Store`, so that they run alike on Postgres and in memory.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from cdc.kafka_record import KafkaRecord
from cdc.kafka_record import Place as Place
from consumers.runtime.delivery import Record
from consumers.runtime.failures import Failure
from consumers.runtime.locking.store import LockStore

Transaction = Any
"""What handlers write their effects on: a Postgres connection with a transaction open, or a test's own state."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a consumer has come in a partition.

    Args:
        offset: Offset to go on from.
        topic_id: Kafka's id of the topic that it is an offset of; None when that was not known.
    """

    offset: int
    topic_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Why a consumer goes on elsewhere than at its position, as Kafka does not have what lies there.

    Args:
        position: Where it goes on.
        lost: Records that were deleted before it read them, as far as known.
        reason: What has happened, as a sentence.
    """

    position: Position
    lost: int
    reason: str


class FenceLostError(Exception):
    """Somebody else has moved the consumer's position in the partition; nothing of the batch has taken effect."""


class SpoiltTransactionError(Exception):
    """A handler has failed in a way that the transaction cannot survive, and went on as if it had not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchClaim:
    """A batch that is to take effect.

    Args:
        place: Its partition.
        base: The position it begins at; the claim holds only while the stored position is this one.
        next_offset: The position after it.
        message_ids: Ids as delivered, repetitions included.
    """

    place: Place
    base: int
    next_offset: int
    message_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What a claim came to.

    Args:
        new: Ids that were not seen before; None when all of them were new and each came once.
        some_parked: There are parked messages of the topic, so that keys must be asked about.
    """

    new: set[str] | None
    some_parked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Parking:
    """A message to put aside.

    Args:
        record: The record as delivered.
        message_id: Id of the message, None when the record has none that can be used.
        type: Full name of the message, None when the record does not say.
        failure: Why.
        pause_s: Seconds until it is tried again; None when it is a dead letter at once. Of no matter for a message
            that is put behind another one.
    """

    record: Record
    message_id: str | None
    type: str | None
    failure: Failure
    pause_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedSequence:
    """The parked messages of one key, to be tried in their order.

    Args:
        sequence_id: Its identity in the store.
        attempts: How often its first message has failed.
        messages: The first of them, oldest first, as many as were asked for.
    """

    sequence_id: int
    attempts: int
    messages: Sequence["ParkedMessage"]


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """A parked message as the retrier takes it out.

    Args:
        parked_id: Its identity in the store.
        record: The record as it was delivered, its value as last edited.
        was_judged: False when it was put behind another message without an id that the inbox can keep, so that nobody
            has said so yet.
        parked_at: When it was put aside; None where nobody keeps that.
    """

    parked_id: int
    record: KafkaRecord
    was_judged: bool = True
    parked_at: datetime | None = None


class Store(Protocol):
    """Keeps the inbox, positions and parked messages of one consumer."""

    @property
    def locks(self) -> LockStore:
        """Where its locks and its stash are."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that commits when the block ends, and rolls back when it raises."""

    def savepoint(self, transaction: Transaction) -> AbstractAsyncContextManager[None]:
        """Undo what the block wrote when it raises, and nothing else of the transaction."""

    async def position(self, place: Place) -> int | None:
        """Return the offset to read on from; None when the consumer has never been in the partition."""

    async def begin(self, place: Place, offset: int, topic_id: str | None = None) -> int:
        """Begin in a partition at an offset, unless somebody has begun there meanwhile; return the position."""

    async def move(self, place: Place, base: int, offset: int) -> None:
        """Set a position to where Kafka has something, unless somebody has moved it meanwhile.

        Raises:
            FenceLostError: the stored position is not the base.
        """

    async def take(
        self, transaction: Transaction, claims: Sequence[BatchClaim]
    ) -> list[ClaimResult]:
        """Note ids as taken and move the positions on, each claim's after those before it; return what each came to.

        Raises:
            FenceLostError: a stored position is not its claim's base.
        """

    async def parked_keys(
        self, transaction: Transaction, topic: str, keys: Collection[bytes]
    ) -> set[bytes]:
        """Return which of the keys have parked messages, and keep them from being taken out until the end."""

    async def park(self, transaction: Transaction, parkings: Sequence[Parking]) -> None:
        """Put messages of one topic aside, each at the end of its key's sequence."""

    async def take_due(self, transaction: Transaction, limit: int) -> ParkedSequence | None:
        """Return a sequence whose time has come, locked against others until the end; None when there is none."""

    async def unpark(self, transaction: Transaction, sequence_id: int, parked_id: int) -> None:
        """Remove a message that has taken effect, first of its sequence, and the sequence when it was the last."""

    async def postpone(
        self, transaction: Transaction, sequence_id: int, failure: Failure, pause_s: float | None
    ) -> None:
        """Note another failure of a sequence's first message, and when to try again; None makes it a dead letter."""
