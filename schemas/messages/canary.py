"""Messages of the `canary` context, generated from `avro/canary/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryEmitted:
    """A sign of life sent through the whole pipeline; carries no business meaning."""

    NAME: ClassVar[str] = "canary.CanaryEmitted"
    READER: ClassVar[str | None] = None

    canary_id: UUID
    """Identity of this sign of life."""
    emitted_at: datetime
    """When it was committed."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "canary_id": self.canary_id,
            "emitted_at": self.emitted_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            canary_id=datum["canary_id"],
            emitted_at=datum["emitted_at"],
        )
