"""What a scenario asks of the database that handlers write to, be it a value in memory or a schema of Postgres."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from cdc.context import MessageContext
from cdc.outbox import Outbox
from consumers.runtime.consumer import Consumer
from consumers.runtime.parked.selection import Reason
from consumers.runtime.store import Store
from consumers.runtime.window import InboxWindow
from schemas.message import Message

S_co = TypeVar("S_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that was sent through the outbox, and kept.

    Args:
        message_id: Identity of the message.
        message: What its receivers read.
        topic: Topic that it is for.
        key: Record key.
        version: Version of the aggregate; None for a message that is no event.
        context: Correlation, causation and trace.
        reply_to: Topic that the reply to it goes to.
        expires_at: When it is too late to act on it.
        not_before: Until when it is kept back; None once it was let go.
    """

    message_id: UUID
    message: Message
    topic: str
    key: str
    version: int | None
    context: MessageContext
    reply_to: str | None = None
    expires_at: datetime | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A message that was put aside.

    Args:
        topic: Topic that it lies in.
        partition: Partition that it lies in.
        offset: Offset within the partition.
        key: Record key; None when it has none.
        message_id: Its id; None when it has none that the inbox can keep.
        type: Full name of the message; None when the record does not say.
        reason: Why; `behind` when an earlier message of its key is parked and this one was not tried.
        error: The error's class and text, empty when there was none.
        traceback: Where it was raised, empty where that says nothing.
        attempts: How often the first parked message of its key has failed.
        is_dead: No attempt is left for the first parked message of its key.
    """

    topic: str
    partition: int
    offset: int
    key: str | None
    message_id: str | None
    type: str | None
    reason: Reason
    error: str
    traceback: str
    attempts: int
    is_dead: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What is to be seen of one consumer.

    Args:
        sent: What was sent, dead letters included, in its order.
        delayed: What is kept back until its time, by that time.
        parked: Parked messages, those of a key in their order.
        applied: Messages that came for the first time.
        duplicates: Deliveries that were dropped because their message had been taken before.
    """

    sent: list[Sent]
    delayed: list[Sent]
    parked: list[Parked]
    applied: int
    duplicates: int


class Database(Protocol[S_co]):
    """A database that scenarios can begin anew on.

    Its `state` is what handlers have written, without what the runtime and the outbox keep beside it.
    """

    async def reset(self) -> None:
        """Go back to the beginning: everything is gone that any consumer has written."""

    async def open(self, consumer: Consumer) -> tuple[Store, InboxWindow]:
        """Return the store of a consumer, and which ids its inbox can keep."""

    def outbox(self, messages: Iterable[type[Message]] | None = None) -> Outbox:
        """Return an outbox that writes these messages, and no others; all of the catalogue when none are given."""

    async def pass_time(self, seconds: float, *, of_delayed: bool = False) -> None:
        """Have parked messages fall due as if time had passed; delayed ones, too, if asked, and those are let go."""

    async def state(self) -> S_co:
        """Return what handlers have written and committed."""

    async def look(self, consumer: str) -> Observed:
        """Return what is to be seen of a consumer."""


def text_of_key(key: bytes | None) -> str | None:
    """Return a record key as text."""
    return None if key is None else key.decode(errors="backslashreplace")
