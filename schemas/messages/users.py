"""Messages of the `users` context, generated from `avro/users/`. Do not edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSignedUp:
    """Somebody has signed up."""

    NAME: ClassVar[str] = "users.UserSignedUp"
    READER: ClassVar[str | None] = None

    user_id: UUID
    """Identity of the user; also the record's key."""
    email: str
    """E-mail address as it was given. Personal: whoever reads it keeps it out of logs."""
    signed_up_at: datetime
    """When it happened."""

    def to_avro(self) -> dict[str, Any]:
        return {
            "user_id": self.user_id,
            "email": self.email,
            "signed_up_at": self.signed_up_at,
        }

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(
            user_id=datum["user_id"],
            email=datum["email"],
            signed_up_at=datum["signed_up_at"],
        )
