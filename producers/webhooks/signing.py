"""Signatures of webhooks as Standard Webhooks 1.0.0 has them, and the keys that they are made with.

`v1` is an HMAC-SHA256 with a secret that both sides have; `v1a` an Ed25519 signature, of which the receiver has the
public key alone.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
SECRET_BYTES = range(24, 65)
"""How long a secret may be."""


class KeyFormatError(ValueError):
    """A text is no secret as Standard Webhooks writes them; it is not repeated, as errors are logged."""


def new_secret() -> str:
    """Return a secret for `v1`."""
    return _written(SECRET, secrets.token_bytes(32))


def new_private_key() -> str:
    """Return a private key for `v1a`, which never leaves us."""
    return _written(PRIVATE, Ed25519PrivateKey.generate().private_bytes_raw())


def public_key_of(key: str) -> str | None:
    """Return what a receiver verifies with, when it may be known to anybody."""
    if not key.startswith(PRIVATE):
        return None
    return _written(PUBLIC, _private(key).public_key().public_bytes_raw())


def require_secret(text: str) -> None:
    """Refuse what is no secret that a receiver may choose.

    Raises:
        KeyFormatError: it has another form, or too few or too many bytes.
    """
    if not text.startswith(SECRET) or len(_bytes(SECRET, text)) not in SECRET_BYTES:
        shortest, longest = SECRET_BYTES[0], SECRET_BYTES[-1]
        raise KeyFormatError(
            f"a secret is {SECRET} and {shortest} to {longest} bytes in base64; leave it out to be given one"
        )


def sign(keys: Iterable[str], webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature for each key, with spaces between.

    Args:
        keys: Secrets and private keys; while one takes the place of another, both.
        timestamp: The time of the attempt, in seconds since 1970.
    """
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return " ".join(_signature(key, content) for key in keys)


def _signature(key: str, content: bytes) -> str:
    if key.startswith(PRIVATE):
        return _written("v1a,", _private(key).sign(content))
    return _written("v1,", hmac.digest(_bytes(SECRET, key), content, hashlib.sha256))


def _private(key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_bytes(PRIVATE, key))


def _written(prefix: str, value: bytes) -> str:
    return prefix + base64.b64encode(value).decode()


def _bytes(prefix: str, text: str) -> bytes:
    try:
        return base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        raise KeyFormatError(f"what follows {prefix} is no base64") from None
