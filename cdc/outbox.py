"""The outbox: messages that commit together with the business rows that caused them.

The outbox only ever inserts on the connection it is given, inside the transaction that is open there. Committing is
the caller's, so a message exists exactly when the change it tells of exists.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg.errors import CheckViolation, UniqueViolation
from psycopg.pq import TransactionStatus

from cdc import bounds
from cdc.bounds import MessageRefusedError
from cdc.context import MessageContext
from cdc.database import Connection
from cdc.ids import new_id
from cdc.sql import columns, load_queries
from cdc.times import require_time
from schemas.catalogue import Topic, catalogue
from schemas.codec import Codec
from schemas.message import Message
from schemas.registry import SchemaStore

QUERIES = load_queries(__package__)
VERSION_CONSTRAINT = "outbox_event_version"


class ConcurrencyError(Exception):
    """Another transaction took the next version of the aggregate first; load it again and decide anew."""


class OutsideTransactionError(RuntimeError):
    """The outbox was used on a connection where every statement commits by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message on its way into an outbox.

    Args:
        message: What is sent.
        payload: Its bytes.
        topic: Topic that it is for.
        key: Record key; of an event also the identity of its aggregate.
        context: Correlation, causation and trace to carry along.
        version: Version of the aggregate; None for a message that is no event.
        reply_to: Topic that the reply to it goes to.
        expires_at: When it is too late to act on it.
    """

    message: Message
    payload: bytes
    topic: Topic
    key: str
    context: MessageContext
    version: int | None = None
    reply_to: str | None = None
    expires_at: datetime | None = None
    id: UUID = field(default_factory=new_id)

    @property
    def size(self) -> int:
        """Bytes of the message with its key and headers, as far as they are known before it is written."""
        return bounds.size_of(self.payload, self.key, self.message.NAME, self.context.traceparent)

    def columns(self) -> dict[str, Any]:
        """Return the row of the outbox, as far as the writer sets it."""
        return {
            "kind": "message" if self.version is None else "event",
            "topic": self.topic.name,
            "aggregate_type": self.topic.aggregate,
            "aggregate_id": self.key,
            "payload": self.payload,
            "id": self.id,
            "type": self.message.NAME,
            "correlation_id": self.context.correlation_id,
            "causation_id": self.context.causation_id,
            "aggregate_version": self.version,
            "traceparent": self.context.traceparent,
            "reply_to": self.reply_to,
            "expires_at": self.expires_at,
        }


class Outbox:
    """Writes messages to the `outbox` table of the schema that the connection works in.

    Args:
        codec: Encodes the messages; its schema ids should be resolved, so that no write waits for the registry.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    @classmethod
    def open(
        cls, registry_url: str, schema_cache: Path, messages: Iterable[type[Message]]
    ) -> "Outbox":
        """Return an outbox for these message classes, their schema ids resolved.

        Args:
            registry_url: Base URL of the registry's Confluent-compatible API.
            schema_cache: Directory in which resolved ids are kept.
            messages: Every class that will be written.

        Raises:
            UnknownSchemaError: a schema was never published.
            RegistryUnavailableError: an id is not cached and the registry cannot be asked.
        """
        codec = Codec(SchemaStore(registry_url, schema_cache), messages)
        codec.resolve()
        return cls(codec)

    @asynccontextmanager
    async def pipeline(self, connection: Connection) -> AsyncIterator[None]:
        """Send the statements of a block in one round trip: events together with the rows they tell of.

        Errors of the database come at the end of the block. Statements whose answer the block itself needs do not
        belong in it.

        Args:
            connection: Where the block writes; its transaction carries rows and events.

        Raises:
            ConcurrencyError: an aggregate has moved on; the transaction is spoilt and must roll back.
            MessageRefusedError: the same as for `append` and `send`; the transaction is spoilt as well.
        """
        with _conflicts("another transaction took the version of an event that was appended here"):
            async with connection.pipeline():
                yield

    async def append(
        self,
        connection: Connection,
        events: Sequence[Message],
        *,
        aggregate_id: str,
        after_version: int,
        context: MessageContext,
    ) -> list[UUID]:
        """Append events to an aggregate's history, as versions `after_version + 1` and up.

        Args:
            connection: Where the business rows were written; its transaction carries the events.
            events: What happened, oldest first.
            aggregate_id: Identity of the aggregate, which becomes the record key.
            after_version: The version the decision was made on; 0 for a new aggregate.
            context: Correlation, causation and trace to carry along.

        Returns:
            The message ids, in the order of the events.

        Raises:
            ConcurrencyError: the aggregate has moved on; the transaction is spoilt and must roll back. Within
                `pipeline` it comes at the end of that.
            MessageRefusedError: an event is too large to be published, or there is no version `after_version` yet.
            OutsideTransactionError: the connection is in autocommit with no transaction open.
            ValueError: an event does not fit its schema, or is none but a command or a reply.
        """
        outgoing = [
            self._outgoing(
                event,
                catalogue().event_topic_of(event.NAME),
                key=aggregate_id,
                context=context,
                version=version,
            )
            for version, event in enumerate(events, start=after_version + 1)
        ]
        await self._append(connection, outgoing, after_version)
        return [each.id for each in outgoing]

    async def send(  # noqa: PLR0913 - each by its name
        self,
        connection: Connection,
        message: Message,
        *,
        key: str,
        context: MessageContext,
        to: str | None = None,
        reply_to: str | None = None,
        expires_at: datetime | None = None,
        not_before: datetime | None = None,
    ) -> UUID:
        """Send a message that is no part of an aggregate's history, such as a command, a reply or a sign of life.

        Args:
            connection: The connection whose transaction carries the message.
            message: What to send.
            key: Record key; messages of one key keep their order.
            context: Correlation, causation and trace to carry along.
            to: Topic that it goes to; needed where the catalogue has the message on several.
            reply_to: Topic of replies that its receiver answers to.
            expires_at: When it is too late to act on it: a receiver drops it, and counts it.
            not_before: Keep it back until then. It is published within a second after that time while a process of the
                service runs, behind what was sent of its key meanwhile.

        Returns:
            The message id, by which a message that is kept back can be withdrawn.

        Raises:
            MessageRefusedError: it is too large to be published.
            OutsideTransactionError: the connection is in autocommit with no transaction open.
            ValueError: the message does not fit its schema, a topic is not one that it may go or be answered to, a time
                has no time zone or is none that a header can hold, or it would have expired when it is sent.
        """
        outgoing = self.outgoing(
            message, key=key, context=context, to=to, reply_to=reply_to, expires_at=expires_at
        )
        if not_before is None:
            await self.send_many(connection, [outgoing])
            return outgoing.id
        require_time("not_before", not_before)
        if expires_at and not_before >= expires_at:
            raise ValueError(f"it would expire at {expires_at}, before it is sent at {not_before}")
        # what the outbox refuses once it is due, it would refuse for ever
        bounds.require_fitting(outgoing.size + bounds.SENDER_BYTES, outgoing.topic.name)
        await self._delay(connection, outgoing, not_before)
        return outgoing.id

    def outgoing(
        self,
        message: Message,
        *,
        key: str,
        context: MessageContext,
        to: str | None = None,
        reply_to: str | None = None,
        expires_at: datetime | None = None,
        message_id: UUID | None = None,
    ) -> Outgoing:
        """Return a message ready for `send_many`; see `send`.

        Args:
            message_id: Its id, a UUIDv7; a new one when none is given.
        """
        if expires_at:
            require_time("expires_at", expires_at)
        if reply_to is not None:
            catalogue().require_replies(reply_to)
        return self._outgoing(
            message,
            catalogue().topic_for(message.NAME, to),
            key=key,
            context=context,
            reply_to=reply_to,
            expires_at=expires_at,
            id=message_id or new_id(),
        )

    async def send_many(self, connection: Connection, messages: Sequence[Outgoing]) -> None:
        """Send messages that `outgoing` has made, in their order, with one statement.

        Raises:
            OutsideTransactionError: the connection is in autocommit with no transaction open.
        """
        _require_transaction(connection)
        if messages:
            with _conflicts(messages[0].key):
                await _insert(connection, messages)

    async def withdraw(self, connection: Connection, message_id: UUID) -> bool:
        """Take back a message that is kept back until its time.

        Args:
            connection: The connection whose transaction takes it back.
            message_id: What `send` returned.

        Returns:
            Whether it was still there; when not, it was published or never sent.
        """
        _require_transaction(connection)
        done = await connection.execute(QUERIES["withdraw"], {"id": message_id})
        return done.rowcount > 0

    async def _append(
        self, connection: Connection, events: Sequence[Outgoing], after_version: int
    ) -> None:
        _require_transaction(connection)
        if events:
            with _conflicts(f"{events[0].key} is past version {after_version} by now"):
                await _insert(connection, events)

    async def _delay(self, connection: Connection, message: Outgoing, not_before: datetime) -> None:
        _require_transaction(connection)
        with _conflicts(message.key):
            await connection.execute(
                QUERIES["delay"], message.columns() | {"not_before": not_before}
            )

    def _outgoing(self, message: Message, topic: Topic, **others: Any) -> Outgoing:
        payload = self._codec.encode(message)
        outgoing = Outgoing(message=message, payload=payload, topic=topic, **others)
        bounds.require_fitting(outgoing.size, topic.name)
        return outgoing


async def _insert(connection: Connection, messages: Sequence[Outgoing]) -> None:
    """Insert messages of one kind."""
    rows = [message.columns() for message in messages]
    if len(rows) == 1:
        await connection.execute(QUERIES["append_one"], rows[0])
    else:
        same = {"kind": rows[0]["kind"]}
        await connection.execute(QUERIES["append_many"], columns(rows) | same)


def _require_transaction(connection: Connection) -> None:
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise OutsideTransactionError(
            "the outbox was used outside a transaction, where the message could commit without "
            "its business row; open one with `async with connection.transaction()`"
        )


@contextmanager
def _conflicts(what: str) -> Iterator[None]:
    try:
        yield
    except UniqueViolation as error:
        if error.diag.constraint_name != VERSION_CONSTRAINT:
            raise
        raise ConcurrencyError(f"{what}; load it again and decide anew") from error
    except CheckViolation as error:
        if error.diag.constraint_name not in bounds.CONSTRAINTS:
            raise
        raise MessageRefusedError(f"the outbox refuses it: {error.diag.message_primary}") from error
