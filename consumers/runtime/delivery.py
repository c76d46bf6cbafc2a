"""A record as it was delivered: where from, which message, on whose account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self
from uuid import UUID

from cdc.context import MessageContext
from cdc.envelope import moment_of
from cdc.kafka_record import Headers
from schemas.uuids import parse_uuid


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
    def key(self) -> bytes | None:
        """Record key; messages of one key keep their order, those without one have none."""

    @property
    def value(self) -> bytes | None:
        """Record value; None is a tombstone."""

    @property
    def headers(self) -> Headers:
        """Headers in their order."""


REPLAYED_FROM = "replayed_from"
"""Header of a record that was published again: where it was taken from."""
REPLAY_RUN = "replay_run"
"""Header of a record that a replay hands to handlers: the replay's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """That a message comes by a replay, for handlers that go about it in another way.

    Args:
        run_id: Id of the replay that hands it out; None when it was published again and came as any other does.
        replayed_from: Where it was published again from, `topic/partition/offset` or `log:<seq>`; None when it was not.
    """

    run_id: str | None
    replayed_from: str | None


class MalformedRecordError(ValueError):
    """A record lacks what every message carries; it cannot be told apart from its own repetition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What is known of a message besides its content.

    Args:
        message_id: Identity of the message, the same however often it is delivered; good as an idempotency key.
        type: Full name of the message, such as `orders.OrderCreated`.
        key: Record key, the aggregate id.
        aggregate_version: Version of the aggregate after an event, one more than that of the event of its key before;
            None for a message that is no event.
        topic: Topic it came from.
        partition: Partition it came from.
        offset: Offset within the partition.
        recorded_at: When the record was made or appended.
        context: Correlation, causation and trace as the sender gave them.
        reply_to: Topic that the sender wants a reply on; None when it wants none.
        expires_at: When it is too late to act on it; None when it never is.
        attempt: 1 for the first, more when the message was parked and is tried again.
        replay: The replay that it comes by; None when it comes as it was sent.
    """

    message_id: UUID
    type: str
    key: str
    aggregate_version: int | None
    topic: str
    partition: int
    offset: int
    recorded_at: datetime
    context: MessageContext
    reply_to: str | None = None
    expires_at: datetime | None = None
    attempt: int = 1
    replay: Replay | None = None

    @property
    def dropped_at(self) -> datetime | None:
        """When it is dropped rather than handled; None when it never is: in a replay it comes late on purpose."""
        return None if self.replay else self.expires_at

    @classmethod
    def of(cls, record: Record, attempt: int = 1) -> Self:
        """Read the CloudEvents and tracing headers of a record.

        Args:
            record: The record as delivered.
            attempt: How often the message was tried, this time included.

        Raises:
            MalformedRecordError: a header is missing or is not what it should be.
        """
        try:
            headers = {name: value for name, value in record.headers if value is not None}
            version, reply_to = headers.get("aggregate_version"), headers.get("reply_to")
            return cls(
                message_id=parse_uuid(headers["ce_id"].decode()),
                type=headers["ce_type"].decode(),
                key=(record.key or b"").decode(),
                aggregate_version=int(version) if version else None,
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                recorded_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
                context=_context(headers),
                reply_to=reply_to.decode() if reply_to else None,
                expires_at=expiry_of(headers),
                attempt=attempt,
                replay=replay_of(headers),
            )
        except (KeyError, ValueError, OverflowError) as error:
            raise MalformedRecordError(
                f"the record at {place_of(record)} is no message of an outbox: {error!r}"
            ) from error


def place_of(record: Record) -> str:
    """Return where a record lies, as `topic/partition/offset`."""
    return f"{record.topic}/{record.partition}/{record.offset}"


def expiry_of(headers: Mapping[str, bytes | None]) -> datetime | None:
    """Return when it is too late to act on a message; None when it never is.

    Raises:
        MalformedRecordError: the header is no time with a time zone.
    """
    given = headers.get("expires_at")
    if given is None:
        return None
    moment = moment_of(given)
    if moment is None:
        raise MalformedRecordError(f"the header expires_at is {given!r}, and no time")
    return moment


def replay_of(headers: Mapping[str, bytes | None]) -> Replay | None:
    """Return the replay that a record comes by; None when it comes as it was sent."""
    run, origin = headers.get(REPLAY_RUN), headers.get(REPLAYED_FROM)
    if run is None and origin is None:
        return None
    return Replay(
        run_id=run.decode() if run else None, replayed_from=origin.decode() if origin else None
    )


def _context(headers: dict[str, bytes]) -> MessageContext:
    causation, traceparent = headers.get("causation_id"), headers.get("traceparent")
    return MessageContext(
        correlation_id=parse_uuid(headers["correlation_id"].decode()),
        causation_id=parse_uuid(causation.decode()) if causation else None,
        traceparent=traceparent.decode() if traceparent else None,
    )
