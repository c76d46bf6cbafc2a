"""Keys of endpoints at rest: sealed with AES-256-GCM under a key that stands in a file, not in the database."""

import hashlib
import secrets
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cdc.service import StartError

NONCE_BYTES = 12


class UnsealError(Exception):
    """What is in the database was sealed with another key, or for another endpoint."""


class Seal:
    """Seals texts so that each opens for the endpoint alone that it was sealed for.

    Args:
        key: As random as a key has to be, of any length.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(hashlib.sha256(key).digest())

    @classmethod
    def of_file(cls, path: Path | None) -> "Seal":
        """Read the key.

        Raises:
            StartError: no file is named, it cannot be read, or holds no key.
        """
        if path is None:
            raise StartError(
                "webhooks have no key to seal secrets with; name a file with 32 random characters or more in "
                "TAILRACE_WEBHOOK_KEY_FILE"
            )
        try:
            key = path.read_bytes().strip()
        except OSError as error:
            raise StartError(
                f"the key of webhooks in {path} cannot be read ({error.strerror}); name its file in "
                "TAILRACE_WEBHOOK_KEY_FILE"
            ) from error
        if len(key) < 32:
            raise StartError(
                f"the key of webhooks in {path} has less than 32 characters; put a random one there"
            )
        return cls(key)

    def seal(self, text: str, endpoint_id: UUID) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), endpoint_id.bytes)

    def open(self, sealed: bytes, endpoint_id: UUID) -> str:
        """Return what was sealed.

        Raises:
            UnsealError: it does not open.
        """
        try:
            return self._cipher.decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], endpoint_id.bytes
            ).decode()
        except (InvalidTag, ValueError):
            raise UnsealError(
                "the keys of webhook endpoints were sealed with another key than TAILRACE_WEBHOOK_KEY_FILE names; "
                "give that file back, or rotate the secrets of the endpoints"
            ) from None
