"""An outbox in memory, which handlers may be given in the place of the one on Postgres."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from psycopg.errors import InFailedSqlTransaction

from cdc import bounds
from cdc.context import MessageContext
from cdc.ids import new_id
from cdc.outbox import ConcurrencyError, Outbox
from consumers.testing.contents import Contents, Transactions
from consumers.testing.database import Sent
from consumers.testing.schemas import codec_of_all
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.message import Message


class MemoryOutbox(Outbox):
    """Keeps messages in the transaction they are sent in, encoded as in production, and checks aggregates' versions.

    Args:
        database: Whose transactions they are.
        codec: Encodes the messages; one that knows all of the catalogue when none is given.
    """

    def __init__(self, database: Transactions[Any], codec: Codec | None = None) -> None:
        super().__init__(codec or codec_of_all())
        self._database = database

    @asynccontextmanager
    async def pipeline(self, connection: Any) -> AsyncIterator[None]:
        """Do nothing: memory has no round trips to save.

        Args:
            connection: What the handler was given.

        Raises:
            OutsideTransactionError: what was given is no transaction, or one that has ended.
        """
        self._within(connection)
        yield

    async def append(
        self,
        connection: Any,
        events: Sequence[Message],
        *,
        aggregate_id: str,
        after_version: int,
        context: MessageContext,
    ) -> list[UUID]:
        """Append events to an aggregate's history, as versions `after_version + 1` and up.

        Args:
            connection: What the handler was given; its transaction carries the events.
            events: What happened, oldest first.
            aggregate_id: Identity of the aggregate, which becomes the record key.
            after_version: The version the decision was made on; 0 for a new aggregate.
            context: Correlation, causation and trace to carry along.

        Returns:
            The message ids, in the order of the events.

        Raises:
            ConcurrencyError: the aggregate has moved on; the transaction is spoilt and must roll back.
            OutsideTransactionError: what was given is no transaction, or one that has ended.
            ValueError: an event does not fit its schema, or versions would not begin with 1.
        """
        contents = self._within(connection)
        if after_version < 0:
            raise ValueError(f"the versions of {aggregate_id} count from 1")
        sent = [
            self._sent(event, aggregate_id, after_version + number, context)
            for number, event in enumerate(events, start=1)
        ]
        taken = {(each.topic, each.key, each.version) for each in contents.sent if each.version}
        if any((each.topic, each.key, each.version) in taken for each in sent):
            contents.spoilt = f"{aggregate_id} was past version {after_version} already"
            raise ConcurrencyError(
                f"{aggregate_id} is past version {after_version} by now; load it again and decide anew"
            )
        contents.sent += sent
        return [each.message_id for each in sent]

    async def send(
        self, connection: Any, message: Message, *, key: str, context: MessageContext
    ) -> UUID:
        """Send a message that is no part of an aggregate's history, such as a command or a sign of life.

        Args:
            connection: What the handler was given; its transaction carries the message.
            message: What to send.
            key: Record key; messages of one key keep their order.
            context: Correlation, causation and trace to carry along.

        Raises:
            OutsideTransactionError: what was given is no transaction, or one that has ended.
            ValueError: the message does not fit its schema.
        """
        contents = self._within(connection)
        sent = self._sent(message, key, None, context)
        contents.sent.append(sent)
        return sent.message_id

    def _within(self, transaction: Any) -> Contents[Any]:
        contents = self._database.within(transaction)
        if contents.spoilt:
            raise InFailedSqlTransaction(f"nothing more can be written: {contents.spoilt}")
        return contents

    def _sent(
        self, message: Message, key: str, version: int | None, context: MessageContext
    ) -> Sent:
        topic, payload = catalogue().topic_of(message.NAME), self._codec.encode(message)
        size = bounds.size_of(payload, key, message.NAME, context.traceparent)
        bounds.require_fitting(size, topic.name)
        return Sent(
            message_id=new_id(),
            message=self._codec.decode(payload),
            topic=topic.name,
            key=key,
            version=version,
            context=context,
        )
