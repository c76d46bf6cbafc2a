"""The keys by which an issuer's tokens are verified: a JSON Web Key Set (RFC 7517) in a file or behind a URL."""

import asyncio
import json
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from cdc.chores import Chore, Chores, cancel
from cdc.logs import FieldLogger
from producers.rest.access.issuer import ALGORITHMS, is_url
from producers.rest.access.principal import UncheckedError

MAX_BYTES = 256 * 1024
MAX_KEYS = 100
LEAST_RSA_BITS = 2048
FETCH_TIMEOUT_S = 3.0
URL_EVERY_S = 300.0
FILE_EVERY_S = 5.0
AGAIN_S = 10.0
"""Pause between two readings because of keys that are not in the set: whoever makes up names decides how often."""
MAX_AGE_S = 3600.0
"""How long a set is used that cannot be read anew; a key may have been withdrawn from it."""

log = FieldLogger(__name__)


class KeySetError(Exception):
    """A key set cannot be read, or is none; the text says why."""


class IssuerKeys:
    """The keys of an issuer, kept up to date.

    Args:
        place: Path of a file, or a URL.
        clock: Tells the time since some moment, in seconds.
    """

    def __init__(self, place: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._keys: Sequence[Key] = ()
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self._http: httpx2.AsyncClient | None = None
        self.version = 0
        """Goes up when the keys are others."""

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """Return the key that a token names; one that is not known may be new, so the set is read again, seldom.

        A token that names none is good only where there is no choice.

        Raises:
            UncheckedError: the keys are not known, or not surely any more.
        """
        found = self._look_up(kid, algorithm)
        if found is None and self._may_read():
            await self._read_once()
            found = self._look_up(kid, algorithm)
        if self._read_at is None or self._clock() - self._read_at > MAX_AGE_S:
            raise UncheckedError("the keys of the issuer of tokens cannot be read")
        return found

    @asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Know the keys while the block runs."""
        async with AsyncExitStack() as stack:
            if is_url(self._place):
                self._http = await stack.enter_async_context(
                    httpx2.AsyncClient(timeout=FETCH_TIMEOUT_S, trust_env=False)
                )
            chores = Chores()
            every_s = URL_EVERY_S if self._http else FILE_EVERY_S
            chores.start([Chore("read the keys of the issuer", every_s, self._read_once)])
            try:
                yield
            finally:
                await chores.stop()
                await cancel([self._reading] if self._reading else [])

    def _look_up(self, kid: str | None, algorithm: str) -> Key | None:
        if kid is None and len(self._keys) > 1:
            return None
        fitting = (key for key in self._keys if kid in {None, key.kid} and _fits(key, algorithm))
        return next(fitting, None)

    def _may_read(self) -> bool:
        is_reading = self._reading is not None and not self._reading.done()
        return is_reading or self._tried_at is None or self._clock() - self._tried_at >= AGAIN_S

    async def _read_once(self) -> None:
        """Read the set, together with all who want it read meanwhile; that one of them is gone ends it for none."""
        if self._reading is None or self._reading.done():
            self._tried_at = self._clock()
            self._reading = asyncio.create_task(self._read_or_tell())
        await asyncio.shield(self._reading)

    async def _read_or_tell(self) -> None:
        try:
            await self._read()
        except KeySetError as error:
            log.warning("keys of the issuer not read", reason=str(error))

    async def _read(self) -> None:
        asked_at = self._clock()
        text = await self._fetch(self._http) if self._http else self._load()
        keys = list(usable_keys(text))
        if not keys:
            raise KeySetError(f"{self._place} has no key that could verify a token")
        if [key.as_dict() for key in keys] != [key.as_dict() for key in self._keys]:
            self._keys, self.version = keys, self.version + 1
            log.info("keys of the issuer", keys=len(keys))
        self._read_at = asked_at

    def _load(self) -> bytes:
        try:
            with Path(self._place).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise KeySetError(f"{self._place} cannot be read ({error.strerror})") from None
        self._require_bounded(content)
        return content

    async def _fetch(self, http: httpx2.AsyncClient) -> bytes:
        """Fetch what the URL has; where it sends us elsewhere, we do not go."""
        content = bytearray()
        try:
            async with (
                asyncio.timeout(FETCH_TIMEOUT_S),
                http.stream("GET", self._place, headers={"accept-encoding": "identity"}) as answer,
            ):
                if answer.status_code != httpx2.codes.OK:
                    raise KeySetError(f"{self._place} answered {answer.status_code}")
                async for chunk in answer.aiter_raw():
                    content += chunk
                    self._require_bounded(content)
        except (httpx2.HTTPError, TimeoutError) as error:
            told = str(error) or type(error).__name__
            raise KeySetError(f"{self._place} cannot be reached ({told})") from error
        return bytes(content)

    def _require_bounded(self, content: bytes | bytearray) -> None:
        if len(content) > MAX_BYTES:
            raise KeySetError(f"{self._place} has more than {MAX_BYTES} bytes")


def usable_keys(text: bytes) -> Iterator[Key]:
    """Yield the public keys of a set; what we do not know, or should not be there, is passed over.

    Raises:
        KeySetError: it is no key set.
    """
    try:
        content = json.loads(text)
        entries = content["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KeySetError("the key set is no JSON with `keys`") from None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise KeySetError(f"`keys` of the key set is no list of at most {MAX_KEYS}")
    for entry in entries:
        if (key := _usable(entry)) is not None:
            yield key


def _usable(entry: Any) -> Key | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    if "d" in entry or "k" in entry:
        log.warning("the key set has a secret in it, which is passed over")
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # of what is looked at below
            key = JWKRegistry.import_key(entry)
        bits = key.public_key.key_size if isinstance(key, RSAKey) else None
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return None if bits is not None and bits < LEAST_RSA_BITS else key


def _fits(key: Key, algorithm: str) -> bool:
    """Tell whether a key may be used with an algorithm: by what it is, and by what its set says of it."""
    kind, curve = ALGORITHMS[algorithm]
    is_of_kind = key.key_type == kind and (
        not isinstance(key, ECKey | OKPKey) or key.curve_name == curve
    )
    same = {"Ed25519", "EdDSA"} if curve == "Ed25519" else {algorithm}
    return is_of_kind and (key.alg is None or key.alg in same)
