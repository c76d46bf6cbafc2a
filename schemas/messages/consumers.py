"""Messages of the `consumers` context, generated from `avro/consumers/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self


class ParkingReason(StrEnum):
    """Why a message is parked."""

    UNKNOWN = "unknown"
    FAILED = "failed"
    UNDECODABLE = "undecodable"
    MALFORMED = "malformed"
    UNKNOWN_TYPE = "unknown_type"
    TOO_OLD = "too_old"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeadLettered:
    """A consumer has no attempt left for a message: it, and those of its key behind it, wait for somebody to decide."""

    NAME: ClassVar[str] = "consumers.MessageDeadLettered"
    READER: ClassVar[str | None] = None

    consumer: str
    """The consumer, also its consumer group."""
    topic: str
    """Topic that the record lies in."""
    partition: int
    """Partition that the record lies in."""
    offset: int
    """Offset within the partition."""
    key: bytes | None = None
    """Record key; null for a record without one."""
    message_id: str | None = None
    """Id as the record gives it; null when it gives none."""
    type: str | None = None
    """Full name of the message as the record gives it; null when it gives none."""
    reason: ParkingReason
    """What is wrong with it."""
    error_class: str
    """Qualified name of the last error."""
    error_text: str
    """What the last error says."""
    attempts: int
    """How often the message was tried."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "consumer": self.consumer,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "key": self.key,
            "message_id": self.message_id,
            "type": self.type,
            "reason": self.reason.value,
            "error_class": self.error_class,
            "error_text": self.error_text,
            "attempts": self.attempts,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            consumer=datum["consumer"],
            topic=datum["topic"],
            partition=datum["partition"],
            offset=datum["offset"],
            key=datum["key"],
            message_id=datum["message_id"],
            type=datum["type"],
            reason=ParkingReason(datum["reason"]),
            error_class=datum["error_class"],
            error_text=datum["error_text"],
            attempts=datum["attempts"],
        )
