"""API keys as those see them who give them out: made, listed and revoked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from psycopg.rows import class_row

from cdc.database import SyncConnection
from cdc.sql import load_queries
from producers.rest.access.api_key import ApiKey

QUERIES = load_queries(__package__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """What is kept of an API key; the key itself is not."""

    key_id: str
    owner: str
    scopes: Sequence[str]
    state: Literal["active", "expired", "revoked"]
    made_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    # the hour of it
    last_used_at: datetime | None


def make(
    connection: SyncConnection, owner: str, scopes: Collection[str], lasts: timedelta | None
) -> tuple[ApiKey, KeptKey]:
    """Make a key; it is returned here and never again.

    Args:
        lasts: How long it is good; None for ever.
    """
    key = ApiKey.new()
    row = {
        "key_id": key.key_id,
        "digest": key.digest,
        "owner": owner,
        "scopes": sorted(set(scopes)),
        "lasts": lasts,
    }
    connection.execute(QUERIES["add"], row)
    [kept] = find(connection, key.key_id)
    return key, kept


def find(connection: SyncConnection, key_id: str | None = None) -> list[KeptKey]:
    """Return all keys, or the one with an id, if there is one."""
    with connection.cursor(row_factory=class_row(KeptKey)) as cursor:
        return cursor.execute(QUERIES["list"], {"key_id": key_id}).fetchall()


def revoke(connection: SyncConnection, key_id: str) -> KeptKey | None:
    """Revoke a key for good, and return it; None if there is none. Nothing happens to one that is revoked."""
    connection.execute(QUERIES["revoke"], {"key_id": key_id})
    return next(iter(find(connection, key_id)), None)
