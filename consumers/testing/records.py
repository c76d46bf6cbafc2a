"""Records as the outbox and the connector make them of messages, made without either."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from cdc.context import next_traceparent
from cdc.envelope import OutboxRow, headers_of
from cdc.ids import new_id
from cdc.kafka_record import Headers, KafkaRecord
from consumers.runtime.delivery import Record
from consumers.testing.schemas import codec_of_all
from schemas.catalogue import Topic, catalogue
from schemas.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """A record that lies nowhere yet; `dataclasses.replace` makes faulty ones of it."""

    topic: str
    key: bytes | None  # record key; None for a record without order
    value: bytes | None  # record value; None for a tombstone
    headers: Headers

    @property
    def type(self) -> str | None:
        value = dict(self.headers).get("ce_type")
        return None if value is None else value.decode(errors="backslashreplace")

    def headers_with(self, **changes: str | bytes | None) -> Headers:
        """Return the headers with some of them changed, and without those that are set to None."""
        headers = dict(self.headers) | {
            name: value.encode() if isinstance(value, str) else value
            for name, value in changes.items()
        }
        dropped = {name for name, value in changes.items() if value is None}
        return [(name, value) for name, value in headers.items() if name not in dropped]


def deliver(  # noqa: PLR0913 - each by its name
    message: Message,
    *,
    key: str | None = None,
    message_id: UUID | None = None,
    correlation_id: UUID | None = None,
    to: str | None = None,
    reply_to: str | None = None,
    expires_at: datetime | None = None,
    causation_id: UUID | None = None,
) -> NewRecord:
    """Return the record of a message.

    Args:
        message: What is told, as its sender's class: not in the shape that one consumer reads.
        key: Record key; the id of the message's aggregate when none is given.
        message_id: Identity of the message; a new one when none is given.
        correlation_id: Shared with what led to the message; a new one when none is given.
        to: Topic that it comes by, where the catalogue has it on several; that of events when none is given.
        reply_to: Topic that its sender wants a reply on.
        expires_at: When it is too late to act on it.
        causation_id: Message that led to it, such as the command that it replies to.

    Raises:
        LookupError: no topic of the catalogue carries the message.
        ValueError: the message does not fit its schema, is not on that topic, or has no field that names its aggregate.
    """
    topic = catalogue().topic_for(message.NAME, to or catalogue().topic_of(message.NAME).name)
    row = OutboxRow(
        seq=0,
        topic=topic.name,
        aggregate_id=key or _aggregate_id(message, topic),
        payload=codec_of_all().encode(message),
        id=message_id or new_id(),
        type=message.NAME,
        source=f"/{topic.owner}",
        specversion="1.0",
        occurred_at=datetime.now(UTC),
        correlation_id=correlation_id or new_id(),
        causation_id=causation_id,
        traceparent=next_traceparent(None),
        reply_to=reply_to,
        expires_at=expires_at,
    )
    headers = [(name, value) for name, value in headers_of(row) if value is not None]
    return NewRecord(
        topic=topic.name, key=row.aggregate_id.encode(), value=row.payload, headers=headers
    )


def kept_record(record: Record) -> KafkaRecord:
    """Return a record as it comes back from a row."""
    return KafkaRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        value=record.value,
        headers=list(record.headers),
    )


def _aggregate_id(message: Message, topic: Topic) -> str:
    field = f"{topic.aggregate}_id"
    if not hasattr(message, field):
        raise ValueError(
            f"{message.NAME} has no {field} that could be its record key; say it: deliver(message, key=...)"
        )
    return str(getattr(message, field))
