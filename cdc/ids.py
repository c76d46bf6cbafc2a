"""Identities that sort by the time they were made."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562): unique, and greater than those made in earlier milliseconds."""
    return uuid7()


def first_id_at(moment: datetime) -> UUID:
    """Return the smallest id that is made at a moment, of no version, as it only bounds others."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def made_ms(made: UUID) -> int:
    """Return when a UUIDv7 was made, in milliseconds since 1970."""
    return made.int >> 80


def made_at(made: UUID) -> datetime | None:
    """Return when an id was made; None when it is of another version, or tells a date that no calendar has."""
    if made.version != 7:
        return None
    try:
        return datetime.fromtimestamp(made_ms(made) / 1000, UTC)
    except (OverflowError, ValueError):
        return None
