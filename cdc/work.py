"""A unit of work: one transaction, with everything that the code inside needs to write and to send."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from datetime import UTC, datetime
from uuid import UUID

from cdc.context import MessageContext
from cdc.database import Connection
from cdc.outbox import Outbox
from cdc.tracing.spans import Value, doing, recorder
from schemas.message import Message

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present, with its time zone."""
    return datetime.now(UTC)


class TransactionScope:
    """An open transaction and what belongs to it. Whoever opened it commits it, never the code inside.

    Args:
        connection: Its transaction is open.
        outbox: Where messages are sent in that transaction.
        clock: Tells the present.
    """

    def __init__(self, connection: Connection, outbox: Outbox, clock: Clock = utc_now) -> None:
        self.connection = connection
        self.outbox = outbox
        self._clock = clock

    def now(self) -> datetime:
        """Return the present, with its time zone."""
        return self._clock()

    def pipeline(self) -> AbstractAsyncContextManager[None]:
        """Send the statements of a block in one round trip, see `Outbox.pipeline`."""
        return self.outbox.pipeline(self.connection)


class UnitOfWork(TransactionScope, ABC):
    """A transaction with one cause, which every message that is sent in it carries along."""

    @property
    @abstractmethod
    def context(self) -> MessageContext:
        """Correlation, causation and trace of the messages sent here."""

    async def append(
        self, events: Sequence[Message], *, aggregate_id: str, after_version: int
    ) -> list[UUID]:
        """Append events to an aggregate's history, see `Outbox.append`."""
        return await self.outbox.append(
            self.connection,
            events,
            aggregate_id=aggregate_id,
            after_version=after_version,
            context=self.context,
        )

    async def send(
        self,
        message: Message,
        *,
        key: str,
        to: str | None = None,
        reply_to: str | None = None,
        expires_at: datetime | None = None,
        not_before: datetime | None = None,
    ) -> UUID:
        """Send a message that is no part of an aggregate's history, see `Outbox.send`."""
        return await self.outbox.send(
            self.connection,
            message,
            key=key,
            context=self.context,
            to=to,
            reply_to=reply_to,
            expires_at=expires_at,
            not_before=not_before,
        )

    def calling(self, party: str, **attributes: Value) -> AbstractContextManager[object]:
        """Return a call of a party outside, which a trace shows as a span of its own; a context manager.

        Args:
            party: What people call it, such as `card processor`.
            attributes: What is told of the call; nothing that is personal.
        """
        if recorder() is None:
            return nullcontext()
        return doing(
            f"call {party}", self.context, "client", **{"peer.service": party}, **attributes
        )

    async def withdraw(self, message_id: UUID) -> bool:
        """Take back a message that is kept back until its time, see `Outbox.withdraw`."""
        return await self.outbox.withdraw(self.connection, message_id)


class RequestWork(UnitOfWork):
    """The unit of work of a request from outside, which no message has caused.

    Args:
        connection: Its transaction is open.
        outbox: Where messages are sent in that transaction.
        context: Correlation and trace of the request.
        clock: Tells the present.
    """

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox,
        context: MessageContext,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(connection, outbox, clock)
        self._context = context

    @property
    def context(self) -> MessageContext:
        """Correlation and trace of the request."""
        return self._context
