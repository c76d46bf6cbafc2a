"""Trying parked messages again, and telling of those that no attempt is left for."""

import logging
import time
from uuid import UUID

from cdc import causes
from cdc.context import MessageContext
from cdc.ids import new_id
from cdc.outbox import Outbox
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import MalformedRecordError, Record, place_of
from consumers.runtime.dispatch import Dispatcher
from consumers.runtime.failures import Failure, waits_without_end
from consumers.runtime.intake import Intake
from consumers.runtime.store import ParkedMessage, Store, Transaction
from schemas.messages.consumers import MessageDeadLettered, ParkingReason

MOST_AT_ONCE = 100
"""Messages of one key that are tried in one transaction."""
LONGEST_S = 10.0
"""How long that transaction goes on to another message: while it lasts, what comes of the key has to wait."""

LONGEST_TOLD, LONGEST_NAME = 4000, 500
"""Most characters told of an error's text, and of anything else; the parked message keeps the record whole."""

log = logging.getLogger(__name__)


class DeadLetters:
    """Publishes that a message has become a dead letter.

    Args:
        consumer: Name of the consumer.
        outbox: Where it is told.
    """

    def __init__(self, consumer: str, outbox: Outbox) -> None:
        self._consumer = consumer
        self._outbox = outbox

    async def announce(
        self, transaction: Transaction, record: Record, failure: Failure, *, attempts: int
    ) -> None:
        """Send the event, in the transaction in which the message became a dead letter.

        Args:
            transaction: That transaction.
            record: The record as delivered.
            failure: Why its last attempt failed.
            attempts: How often it was tried.
        """
        headers = {name: value.decode(errors="replace") for name, value in record.headers if value}
        event = MessageDeadLettered(
            consumer=self._consumer,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=_cut_bytes(record.key),
            message_id=_cut(headers.get("ce_id")),
            type=_cut(headers.get("ce_type")),
            reason=ParkingReason(failure.reason),
            error_class=_cut(failure.error_class) or "",
            error_text=_cut(failure.error_text, LONGEST_TOLD) or "",
            attempts=attempts,
        )
        log.warning(
            "the message at %s is a dead letter after %d attempts: %s",
            *(place_of(record), attempts, causes.in_line(failure.error_text)),
        )
        key = f"{self._consumer}/{place_of(record)}"
        await self._outbox.send(transaction, event, key=key, context=_context(headers))


class Retrier:
    """Tries parked messages of one consumer again, those of a key in their order.

    Args:
        consumer: Dispatch table and retry policy.
        store: Where parked messages are.
        intake: Prepares records.
        outbox: Where handlers send, and where dead letters are told of.
    """

    def __init__(self, consumer: Consumer, store: Store, intake: Intake, outbox: Outbox) -> None:
        self._consumer = consumer
        self._store = store
        self._intake = intake
        self._dispatcher = Dispatcher(consumer, outbox)
        self._dead_letters = DeadLetters(consumer.name, outbox)

    async def retry_one(self) -> bool:
        """Try one sequence whose time has come: its messages one after the other, up to the first that fails.

        Returns:
            Whether there was one.

        Raises:
            RegistryUnavailableError: a schema is new here and the registry cannot be asked.
            psycopg.Error: the database could not do its work; nothing has changed.
        """
        async with self._store.transaction() as transaction:
            sequence = await self._store.take_due(transaction, MOST_AT_ONCE)
            if sequence is None:
                return False
            attempts = sequence.attempts
            deadline = time.monotonic() + LONGEST_S
            for message in sequence.messages:
                failure = await self._try(transaction, message, attempts + 1)
                if failure is not None:
                    attempts += 1
                    await self._postpone(
                        transaction, sequence.sequence_id, message, failure, attempts
                    )
                    break
                await self._store.unpark(transaction, sequence.sequence_id, message.parked_id)
                attempts = 0
                if time.monotonic() > deadline:
                    break
        return True

    async def _try(
        self, transaction: Transaction, message: ParkedMessage, attempt: int
    ) -> Failure | None:
        if not message.was_judged:
            return await self._judge(message.record)
        received = await self._intake.prepare_again(message.record, attempt)
        if received.error is not None:
            return Failure.of(received.error)
        if received.handler is None:
            return None
        try:
            async with self._store.savepoint(transaction):
                await self._dispatcher.call(received.handler, [received], transaction)
        except Exception as error:
            if waits_without_end(error):
                raise
            return Failure.of(error)
        return None

    async def _judge(self, record: Record) -> Failure | None:
        """Return what is wrong with a record whose id the inbox did not keep; None when it is none of our business."""
        [received] = await self._intake.prepare([record])
        if not received.concerns_us:
            return None
        strange = MalformedRecordError(
            f"the inbox could not keep the id of the record at {place_of(record)} when it came"
        )
        return Failure.of(received.error or strange)

    async def _postpone(
        self,
        transaction: Transaction,
        sequence_id: int,
        message: ParkedMessage,
        failure: Failure,
        attempts: int,
    ) -> None:
        pause_s = None if failure.hopeless else self._consumer.retries.pause_s(attempts)
        await self._store.postpone(transaction, sequence_id, failure, pause_s)
        if pause_s is None:
            await self._dead_letters.announce(
                transaction, message.record, failure, attempts=attempts
            )


def _cut(text: str | None, longest: int = LONGEST_NAME) -> str | None:
    """Return the beginning of what is too long to be told, and how much is left out."""
    if text is None or len(text) <= longest:
        return text
    return f"{text[:longest]} … ({len(text) - longest:,} characters left out)"


def _cut_bytes(key: bytes | None) -> bytes | None:
    if key is None or len(key) <= LONGEST_NAME:
        return key
    return key[:LONGEST_NAME] + f" … ({len(key) - LONGEST_NAME:,} bytes left out)".encode()


def _context(headers: dict[str, str]) -> MessageContext:
    """Return the context for what is told about a record, which may lack all that messages carry."""
    message_id = _uuid(headers.get("ce_id"))
    return MessageContext(
        correlation_id=_uuid(headers.get("correlation_id")) or message_id or new_id(),
        causation_id=message_id,
        traceparent=headers.get("traceparent"),
    ).next_span()


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
