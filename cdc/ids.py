"""Identities that sort by the time they were made."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562): unique, and greater than those made in earlier milliseconds."""
    return uuid7()
