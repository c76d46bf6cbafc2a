"""Turns a batch of records of one partition into effects, in one transaction."""

from collections.abc import Sequence

from cdc.database import Connection, Pool
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import Delivery, Record
from consumers.runtime.inbox import admit, advance
from schemas.codec import Codec


class UnhandledTypeError(LookupError):
    """A message arrived that the consumer neither handles nor ignores."""


class Processor:
    """Applies batches for one consumer.

    Args:
        consumer: Name and dispatch table.
        pool: Connections to the consumer's own schema.
        codec: Decodes the handled messages.
    """

    def __init__(self, consumer: Consumer, pool: Pool, codec: Codec) -> None:
        self._name = consumer.name
        self._handlers = consumer.handler_by_type()
        self._ignored = consumer.ignored_types()
        self._pool = pool
        self._codec = codec

    async def apply(self, records: Sequence[Record]) -> None:
        """Apply every message of a batch that has not taken effect before; all of them or none.

        Args:
            records: Consecutive records of one partition, at least one.

        Raises:
            MalformedRecordError: a record is no message of an outbox.
            UnhandledTypeError: a message that the consumer made no decision about.
            UndecodableError: the bytes are not the message that the headers announce.
            Exception: whatever a handler raises; nothing of the batch has taken effect then.
        """
        deliveries = [Delivery.of(record) for record in records]
        async with self._pool.connection() as connection, connection.transaction():
            new = await admit(connection, self._name, [d.message_id for d in deliveries])
            applied = len(new)
            for record, delivery in zip(records, deliveries, strict=True):
                if delivery.message_id in new:
                    new.remove(delivery.message_id)
                    await self._handle(connection, record, delivery)
            last = deliveries[-1]
            await advance(
                connection,
                self._name,
                topic=last.topic,
                partition=last.partition,
                next_offset=last.offset + 1,
                applied=applied,
                duplicates=len(deliveries) - applied,
            )

    async def _handle(self, connection: Connection, record: Record, delivery: Delivery) -> None:
        handler = self._handlers.get(delivery.type)
        if handler is not None:
            await handler(self._codec.decode(record.value or b""), delivery, connection)
        elif delivery.type not in self._ignored:
            raise UnhandledTypeError(
                f"{self._name} neither handles nor ignores {delivery.type}, found at {delivery.topic}/"
                f"{delivery.partition}/{delivery.offset}; decide in its dispatch table"
            )
