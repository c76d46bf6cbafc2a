"""What a handler is given beside its messages: the unit of work of one message, or of a call with many."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from cdc.context import MessageContext
from cdc.database import Connection
from cdc.outbox import Outbox
from cdc.work import Clock, TransactionScope, UnitOfWork, utc_now
from consumers.runtime.delivery import Delivery
from consumers.runtime.received import Received
from schemas.message import Message


class Work(UnitOfWork):
    """The unit of work of one message: whatever is sent in it names the message as its cause.

    Args:
        connection: Its transaction is open.
        outbox: Where messages are sent in that transaction.
        received: The message that is handled.
        clock: Tells the present.
    """

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox,
        received: Received[Any],
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(connection, outbox, clock)
        self._received = received
        self._context: MessageContext | None = None

    @property
    def delivery(self) -> Delivery:
        """What is known of the message besides its content."""
        return self._received.delivery

    @property
    def context(self) -> MessageContext:
        """The message's correlation and trace, in a span of its own, with the message as cause."""
        # only made when something is sent: headers and ids cost more than many a handler
        if self._context is None:
            cause = self.delivery
            self._context = MessageContext(
                correlation_id=cause.context.correlation_id,
                causation_id=cause.message_id,
                traceparent=self._received.traceparent,
            )
        return self._context

    async def reply(self, message: Message, *, key: str | None = None) -> UUID:
        """Send the reply to the message that is handled, to the topic that it names.

        Args:
            message: The reply.
            key: Record key; that of the message when none is given, so that whoever asked finds replies in order.

        Raises:
            ValueError: the message wants no reply, or not one of this type.
        """
        delivery = self.delivery
        if delivery.reply_to is None:
            raise ValueError(f"{delivery.type} {delivery.message_id} names no topic to reply to")
        self._received.replied = type(message)
        return await self.send(message, key=key or delivery.key, to=delivery.reply_to)

    async def reply_if_wanted(self, message: Message) -> UUID | None:
        """Send the reply to the message that is handled if it names a topic for it, see `reply`; return its id."""
        self._received.replied = type(message)
        return None if self.delivery.reply_to is None else await self.reply(message)


class BulkWork(TransactionScope):
    """The transaction of a call with many messages.

    It sends nothing by itself: which of the messages is the cause has to be said.
    """

    def caused_by(self, received: Received[Any]) -> Work:
        """Return the unit of work of one message, in the transaction of them all."""
        return Work(self.connection, self.outbox, received, self._clock)

    async def reply_many(self, replies: Iterable[tuple[Received[Any], Message]]) -> None:
        """Send replies with one statement, in their order, each to the topic that its message names.

        Args:
            replies: Messages with the reply to each; those that want none get none.

        Raises:
            ValueError: a message names a topic for replies of other types.
        """
        sends = []
        for received, reply in replies:
            received.replied = type(reply)
            if received.delivery.reply_to:
                outgoing = self.outbox.outgoing(
                    reply,
                    key=received.delivery.key,
                    to=received.delivery.reply_to,
                    context=self.caused_by(received).context,
                )
                sends.append(outgoing)
        await self.outbox.send_many(self.connection, sends)
