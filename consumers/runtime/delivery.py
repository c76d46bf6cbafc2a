"""A record as it was delivered: where from, which message, on whose account."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self
from uuid import UUID

from cdc.context import MessageContext


class Record(Protocol):
    """A Kafka record as aiokafka returns it, as far as consumers look at it."""

    @property
    def topic(self) -> str:
        """Topic it lies in."""

    @property
    def partition(self) -> int:
        """Partition it lies in."""

    @property
    def offset(self) -> int:
        """Offset within the partition."""

    @property
    def timestamp(self) -> int:
        """When it was made or appended, in milliseconds since 1970."""

    @property
    def timestamp_type(self) -> int:
        """0 for when it was made, 1 for when it was appended."""

    @property
    def key(self) -> bytes | None:
        """Record key."""

    @property
    def value(self) -> bytes | None:
        """Record value; None is a tombstone."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Headers in their order."""


class MalformedRecordError(ValueError):
    """A record lacks what every message carries; it cannot be told apart from its own repetition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What is known of a message besides its content.

    Args:
        message_id: Identity of the message, the same however often it is delivered.
        type: Full name of the message, such as `orders.OrderCreated`.
        key: Record key, the aggregate id.
        topic: Topic it came from.
        partition: Partition it came from.
        offset: Offset within the partition.
        context: Correlation, causation and trace as the sender gave them.
    """

    message_id: UUID
    type: str
    key: str
    topic: str
    partition: int
    offset: int
    context: MessageContext

    @classmethod
    def of(cls, record: Record) -> Self:
        """Read the CloudEvents and tracing headers of a record.

        Raises:
            MalformedRecordError: a header is missing or is not what it should be.
        """
        headers = {name: value.decode() for name, value in record.headers if value is not None}
        try:
            return cls(
                message_id=UUID(headers["ce_id"]),
                type=headers["ce_type"],
                key=(record.key or b"").decode(),
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                context=_context(headers),
            )
        except (KeyError, ValueError) as error:
            raise MalformedRecordError(
                f"the record at {record.topic}/{record.partition}/{record.offset} is no message of an "
                f"outbox: {error!r}"
            ) from error

    def reaction(self) -> MessageContext:
        """Return the context for messages sent because of this one."""
        span = self.context.next_span()
        return MessageContext(
            correlation_id=span.correlation_id,
            causation_id=self.message_id,
            traceparent=span.traceparent,
        )


def _context(headers: dict[str, str]) -> MessageContext:
    causation = headers.get("causation_id")
    return MessageContext(
        correlation_id=UUID(headers["correlation_id"]),
        causation_id=UUID(causation) if causation else None,
        traceparent=headers.get("traceparent"),
    )
