"""Trying parked messages again, and telling of those that no attempt is left for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cdc import causes
from cdc.context import MessageContext, next_traceparent, trace_id_of
from cdc.due import DueWork
from cdc.ids import new_id
from cdc.logs import FieldLogger
from cdc.outbox import Outbox
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import MalformedRecordError, Record, place_of
from consumers.runtime.dispatch import Dispatcher
from consumers.runtime.failures import Failure, waits_without_end
from consumers.runtime.intake import Intake
from consumers.runtime.received import Received
from consumers.runtime.spans import message_spans, trying_again
from consumers.runtime.store import ParkedMessage, Store, Transaction
from schemas.messages.consumers import MessageDeadLettered, ParkingReason

MOST_AT_ONCE = 100
"""Messages of one key that are tried in one transaction."""

LONGEST_TOLD, LONGEST_NAME = 4000, 500
"""Most characters told of an error's text, and of anything else; the parked message keeps the record whole."""

log = FieldLogger(__name__)


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
            "dead letter",
            record=place_of(record),
            attempts=attempts,
            error=causes.in_line(failure.error_text),
        )
        key = f"{self._consumer}/{place_of(record)}"
        await self._outbox.send(transaction, event, key=key, context=_context(headers))


@dataclass(frozen=True, slots=True)
class DueMessage:
    """A parked message whose turn has come.

    Args:
        sequence_id: The sequence of its key, of which it is the first.
        parked: The message.
        attempts: How often it has failed.
    """

    sequence_id: int
    parked: ParkedMessage
    attempts: int


class ParkedWork(DueWork[DueMessage]):
    """Parked messages of one consumer as due work: those of a key are tried in their order, up to the first that fails.

    Args:
        consumer: Dispatch table and retry policy.
        store: Where parked messages are.
        intake: Prepares records.
        outbox: Where handlers send, and where dead letters are told of.
    """

    in_order = True

    def __init__(self, consumer: Consumer, store: Store, intake: Intake, outbox: Outbox) -> None:
        self._consumer = consumer
        self._store = store
        self._intake = intake
        self._dispatcher = Dispatcher(consumer, outbox, store)
        self._dead_letters = DeadLetters(consumer.name, outbox)
        self._spans = message_spans(consumer.name)

    async def take(self, transaction: Transaction) -> Sequence[DueMessage]:
        """Return the messages of one key whose time has come, as many as are tried in one transaction."""
        sequence = await self._store.take_due(transaction, MOST_AT_ONCE)
        if sequence is None:
            return ()
        return [
            DueMessage(sequence.sequence_id, parked, 0 if number else sequence.attempts)
            for number, parked in enumerate(sequence.messages)
        ]

    async def attempt(self, transaction: Transaction, row: DueMessage) -> None:
        """Have a message take effect, and remove it.

        Raises:
            RegistryUnavailableError: a schema is new here and the registry cannot be asked.
            Exception: why it cannot be handled, or what its handler raises.
        """
        if row.parked.was_judged:
            received = await self._intake.prepare_again(row.parked.record, row.attempts + 1)
        else:
            received = await self._judge(row.parked.record)
        with trying_again(self._spans, received, "parked", row.parked.parked_at):
            if received.error is not None:
                raise received.error
            if received.handler is not None:
                await self._dispatcher.call(received.handler, [received], transaction)
        await self._store.unpark(transaction, row.sequence_id, row.parked.parked_id)

    async def failed(self, transaction: Transaction, row: DueMessage, error: Exception) -> None:
        """Put a message off, or make it a dead letter.

        Raises:
            Exception: the error itself, where every other message is in the same trouble.
        """
        if waits_without_end(error):
            raise error
        failure = Failure.of(error)
        attempts = row.attempts + 1
        pause_s = None if failure.hopeless else self._consumer.retries.pause_s(attempts)
        await self._store.postpone(transaction, row.sequence_id, failure, pause_s)
        if pause_s is None:
            await self._dead_letters.announce(
                transaction, row.parked.record, failure, attempts=attempts
            )

    async def _judge(self, record: Record) -> Received[Any]:
        """Return a record whose id the inbox did not keep: of no concern to us, or with what is wrong with it."""
        [received] = await self._intake.prepare([record])
        if received.concerns_us and received.error is None:
            raise MalformedRecordError(
                f"the inbox could not keep the id of the record at {place_of(record)} when it came"
            )
        return received


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
    message_id, sent = _uuid(headers.get("ce_id")), headers.get("traceparent")
    return MessageContext(
        correlation_id=_uuid(headers.get("correlation_id")) or message_id or new_id(),
        causation_id=message_id,
        # it came of what the message came of, if that says what
        traceparent=sent if trace_id_of(sent) else next_traceparent(None, may_record=False),
    )


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
