"""An outbox in memory, which handlers may be given in the place of the one on Postgres."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import InFailedSqlTransaction

from cdc.outbox import ConcurrencyError, Outbox, Outgoing
from consumers.testing.database import Sent
from consumers.testing.memory_state import Contents, Transactions
from consumers.testing.schemas import codec_of_all
from schemas.codec import Codec


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

    async def withdraw(self, connection: Any, message_id: UUID) -> bool:
        """Take back a message that is kept back until its time; return whether it was still there."""
        return self._within(connection).delayed.pop(message_id, None) is not None

    async def _append(
        self, connection: Any, events: Sequence[Outgoing], after_version: int
    ) -> None:
        contents = self._within(connection)
        if events and after_version < 0:
            raise ValueError(f"the versions of {events[0].key} count from 1")
        sent = [self._sent(event) for event in events]
        taken = {(each.topic, each.key, each.version) for each in contents.sent if each.version}
        if any((each.topic, each.key, each.version) in taken for each in sent):
            contents.spoilt = f"{events[0].key} was past version {after_version} already"
            raise ConcurrencyError(
                f"{events[0].key} is past version {after_version} by now; load it again and decide anew"
            )
        contents.sent += sent

    async def send_many(self, connection: Any, messages: Sequence[Outgoing]) -> None:
        """Send messages in their order."""
        self._within(connection).sent += [self._sent(each) for each in messages]

    async def _delay(self, connection: Any, message: Outgoing, not_before: datetime) -> None:
        delayed = self._within(connection).delayed
        delayed[message.id] = (not_before, self._sent(message))

    def _within(self, transaction: Any) -> Contents[Any]:
        contents = self._database.within(transaction)
        if contents.spoilt:
            raise InFailedSqlTransaction(f"nothing more can be written: {contents.spoilt}")
        return contents

    def _sent(self, outgoing: Outgoing) -> Sent:
        return Sent(
            message_id=outgoing.id,
            message=self._codec.decode(outgoing.payload),
            topic=outgoing.topic.name,
            key=outgoing.key,
            version=outgoing.version,
            context=outgoing.context,
            reply_to=outgoing.reply_to,
            expires_at=outgoing.expires_at,
        )
