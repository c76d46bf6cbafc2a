"""Messages as loyalty-worker reads them, generated from `readers/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSignedUp:
    """Somebody signed up under an e-mail address that nobody else has, which loyalty does not read."""

    NAME: ClassVar[str] = "users.UserSignedUp"
    READER: ClassVar[str | None] = "loyalty-worker"

    user_id: UUID
    """Identity of the user."""
    signed_up_at: datetime
    """When they did."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "user_id": self.user_id,
            "signed_up_at": self.signed_up_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            user_id=datum["user_id"],
            signed_up_at=datum["signed_up_at"],
        )
