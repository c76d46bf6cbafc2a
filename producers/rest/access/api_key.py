"""API keys as text: `trk_<id>_<secret>`, found by whoever scans for secrets, and kept as a digest alone.

A fast hash is right for it. A slow one is for passwords, which people choose and others guess. A secret with 190 random
bits is not guessed, however fast the hash, while a slow one would cost the service on each request what it is meant to
cost a thief.
"""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass

PREFIX = "trk_"
ID_LENGTH = 12
SECRET_LENGTH = 32  # 190 bits
CHECKSUM_LENGTH = 6

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY_ID = re.compile(rf"[0-9A-Za-z]{{{ID_LENGTH}}}")
_KEY = re.compile(
    rf"({PREFIX}({KEY_ID.pattern})_[0-9A-Za-z]{{{SECRET_LENGTH}}})([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)
"""What a scanner looks for, too; the checksum tells it what only looks like a key."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner has it.

    Args:
        key_id: What it is called in lists and logs.
        text: All of it.
    """

    key_id: str
    text: str

    def __repr__(self) -> str:
        """Return what may stand in a log."""
        return f"ApiKey({self.key_id})"

    @property
    def digest(self) -> bytes:
        """What is kept of it."""
        return hashlib.sha256(self.text.encode()).digest()

    @classmethod
    def new(cls) -> "ApiKey":
        key_id, secret = _random(ID_LENGTH), _random(SECRET_LENGTH)
        body = f"{PREFIX}{key_id}_{secret}"
        return cls(key_id, body + _checksum(body))

    @classmethod
    def parse(cls, text: str) -> "ApiKey | None":
        """Return the key that a text is; None if it is none, or was not copied as it is."""
        found = _KEY.fullmatch(text)
        if found is None or _checksum(found[1]) != found[3]:
            return None
        return cls(found[2], text)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    """Return the CRC-32 in base 62, as long as the largest."""
    rest, digits = zlib.crc32(body.encode()), ""
    while len(digits) < CHECKSUM_LENGTH:
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
