"""The API keys that a process knows: all of them, a second old, so that no request waits for the database."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from cdc.chores import Chore, Chores, is_trouble_of_the_database
from cdc.database import Pool, open_pool
from cdc.sql import load_queries
from producers.rest.access.api_key import ApiKey
from producers.rest.access.principal import CredentialError, Principal, UncheckedError

QUERIES = load_queries(__package__)

EVERY_S = 1.0
"""Pause between two looks at what has changed."""
NOTE_EVERY_S = 60.0
LOOK_TIMEOUT_S = 2.0
NOTHING_SEEN = -1
_NOBODYS = bytes(32)
"""What the digest of an unknown key is compared with, so that it takes as long as that of a known one."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """An API key as it is kept."""

    digest: bytes
    principal: Principal
    expires_at: float | None  # seconds since 1970
    is_revoked: bool


class Keyring:
    """Tells whose an API key is.

    What is known of keys is good for as long as `max_age_s` says. A process that cannot hear of a revocation for longer
    lets nobody in any more.

    Args:
        database_url: libpq URL of the role that may read keys.
        max_age_s: How old what is known may be, in seconds.
    """

    def __init__(self, database_url: str, *, max_age_s: float) -> None:
        self._url = database_url
        self._max_age_s = max_age_s
        self._keys: dict[str, KnownKey] = {}
        self._revision = NOTHING_SEEN
        self._known_at: float | None = None
        self._used: set[str] = set()

    def principal_of(self, key: ApiKey) -> Principal:
        """Return who has a key.

        Raises:
            CredentialError: it is unknown, revoked or expired.
            UncheckedError: what is known of keys is too old, or nothing is known yet.
        """
        if self._known_at is None or time.monotonic() - self._known_at > self._max_age_s:
            raise UncheckedError("the database that has the API keys cannot be reached")
        known = self._keys.get(key.key_id)
        is_its = hmac.compare_digest(key.digest, known.digest if known else _NOBODYS)
        if known is None or not is_its:
            raise CredentialError("there is no such API key")
        # who gets here has the key, and may hear more of it
        if known.is_revoked:
            raise CredentialError(f"the API key {key.key_id} was revoked")
        if known.expires_at is not None and known.expires_at <= time.time():
            raise CredentialError(f"the API key {key.key_id} has expired")
        self._used.add(key.key_id)
        return known.principal

    @asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Know what keys there are while the block runs."""
        # a change is told with what was there before, so a lost connection costs nothing but time
        async with open_pool(self._url, max_size=1, timeout_s=LOOK_TIMEOUT_S, check=False) as pool:
            chores = Chores(_will_pass)
            chores.start(
                [
                    Chore("look for changed API keys", EVERY_S, lambda: self._look(pool)),
                    Chore("note which API keys are used", NOTE_EVERY_S, lambda: self._note(pool)),
                ]
            )
            try:
                yield
            finally:
                await chores.stop()

    async def _look(self, pool: Pool) -> None:
        """Learn what has changed; where the database was put back to an earlier state, everything."""
        asked_at, kept = time.monotonic(), self._keys
        rows = await _changed(pool, since=self._revision)
        if rows[0][0] < self._revision:
            rows, kept = await _changed(pool, since=NOTHING_SEEN), {}
        if changed := dict(_known_keys(rows)):
            kept = kept | changed
        self._keys, self._revision, self._known_at = kept, rows[0][0], asked_at

    async def _note(self, pool: Pool) -> None:
        if not self._used:
            return
        used, self._used = self._used, set()
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S), pool.connection() as connection:
                await connection.execute(QUERIES["note_use"], {"key_ids": sorted(used)})
        except BaseException:
            self._used |= used
            raise


async def _changed(pool: Pool, *, since: int) -> list[tuple[Any, ...]]:
    async with asyncio.timeout(LOOK_TIMEOUT_S), pool.connection() as connection:
        cursor = await connection.execute(QUERIES["changed"], {"since": since})
        return await cursor.fetchall()


def _known_keys(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, KnownKey]]:
    for _, key_id, digest, owner, scopes, expires_at, is_revoked in rows:
        if key_id is not None:
            principal = Principal(f"key:{owner}", frozenset(scopes), key_id)
            yield key_id, KnownKey(digest, principal, expires_at, is_revoked)


def _will_pass(error: Exception) -> bool:
    return isinstance(error, TimeoutError) or is_trouble_of_the_database(error)
