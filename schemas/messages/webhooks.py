"""Messages of the `webhooks` context, generated from `avro/webhooks/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDisabled:
    """A webhook endpoint is called no more, until somebody enables it. Whoever looks after it should hear of that
    in another way.
    """

    NAME: ClassVar[str] = "webhooks.EndpointDisabled"
    READER: ClassVar[str | None] = None

    endpoint_id: UUID
    """Identity of the endpoint; also the record's key."""
    reason: str
    """Why, in a sentence for people."""
    failing_since: datetime
    """Since when no call has succeeded."""
    disabled_at: datetime
    """When it happened."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "endpoint_id": self.endpoint_id,
            "reason": self.reason,
            "failing_since": self.failing_since,
            "disabled_at": self.disabled_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            endpoint_id=datum["endpoint_id"],
            reason=datum["reason"],
            failing_since=datum["failing_since"],
            disabled_at=datum["disabled_at"],
        )
