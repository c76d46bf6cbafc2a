"""The outbox: messages that commit together with the business rows that caused them.

The outbox only ever inserts on the connection it is given, inside the transaction that is open there. Committing is
the caller's, so a message exists exactly when the change it tells of exists.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
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
from cdc.sql import load_queries
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.message import Message
from schemas.registry import SchemaStore

QUERIES = load_queries(__package__)
VERSION_CONSTRAINT = "outbox_event_version"


class ConcurrencyError(Exception):
    """Another transaction took the next version of the aggregate first; load it again and decide anew."""


class OutsideTransactionError(RuntimeError):
    """The outbox was used on a connection where every statement commits by itself."""


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
            ValueError: an event does not fit its schema.
        """
        versions = list(range(after_version + 1, after_version + 1 + len(events)))
        with _conflicts(f"{aggregate_id} is past version {after_version} by now"):
            return await self._insert(
                connection,
                "event",
                events,
                aggregate_id=aggregate_id,
                versions=versions,
                context=context,
            )

    async def send(
        self, connection: Connection, message: Message, *, key: str, context: MessageContext
    ) -> UUID:
        """Send a message that is no part of an aggregate's history, such as a command or a sign of life.

        Args:
            connection: The connection whose transaction carries the message.
            message: What to send.
            key: Record key; messages of one key keep their order.
            context: Correlation, causation and trace to carry along.

        Raises:
            MessageRefusedError: it is too large to be published.
            OutsideTransactionError: the connection is in autocommit with no transaction open.
            ValueError: the message does not fit its schema.
        """
        with _conflicts(key):
            [message_id] = await self._insert(
                connection, "message", [message], aggregate_id=key, versions=[None], context=context
            )
        return message_id

    async def _insert(
        self,
        connection: Connection,
        kind: str,
        messages: Sequence[Message],
        *,
        aggregate_id: str,
        versions: Sequence[int | None],
        context: MessageContext,
    ) -> list[UUID]:
        if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
            raise OutsideTransactionError(
                "the outbox was used outside a transaction, where the message could commit without "
                "its business row; open one with `async with connection.transaction()`"
            )
        common = {
            "kind": kind,
            "aggregate_id": aggregate_id,
            "correlation_id": context.correlation_id,
            "causation_id": context.causation_id,
            "traceparent": context.traceparent,
        }
        rows = [self._columns(*pair) for pair in zip(messages, versions, strict=True)]
        for row in rows:
            size = bounds.size_of(row["payload"], aggregate_id, row["type"], context.traceparent)
            bounds.require_fitting(size, row["topic"])
        if len(rows) == 1:
            await connection.execute(QUERIES["append_one"], common | rows[0])
        elif rows:
            arrays = {f"{name}s": [row[name] for row in rows] for name in rows[0]}
            await connection.execute(QUERIES["append_many"], common | arrays)
        return [row["id"] for row in rows]

    def _columns(self, message: Message, version: int | None) -> dict[str, Any]:
        topic = catalogue().topic_of(message.NAME)
        return {
            "id": new_id(),
            "topic": topic.name,
            "aggregate_type": topic.aggregate,
            "aggregate_version": version,
            "type": message.NAME,
            "payload": self._codec.encode(message),
        }


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
