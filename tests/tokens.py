"""An issuer of tokens for tests: its keys, and tokens signed with them, rightly or not."""

import base64
import json
import time
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import JWSRegistry

ISSUER = "https://issuer.example.org"
AUDIENCE = "tailrace"

RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})


def key_set(*keys: Key) -> str:
    """Return the public part of keys as an issuer publishes it."""
    return json.dumps({"keys": [{**key.as_dict(), "use": "sig"} for key in keys or (RSA, EC)]})


def claims(**others: Any) -> dict[str, Any]:
    """Return claims that are good here; None leaves one out."""
    now = int(time.time())
    given = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "iat": now,
        "exp": now + 600,
        "scope": "orders:read orders:write",
    } | others
    return {name: value for name, value in given.items() if value is not None}


def token(
    key: Key = RSA, algorithm: str = "RS256", header: dict[str, Any] | None = None, **others: Any
) -> str:
    """Return a token that is good here, but for what is said otherwise."""
    head = {"alg": algorithm, "kid": key.kid} | (header or {})
    head = {name: value for name, value in head.items() if value is not None}
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = 100_000
    return jwt.encode(head, claims(**others), key, registry=registry)


def unsigned(header: object, payload: object, signature: bytes = b"") -> str:
    """Return something in the form of a token, whatever stands in it."""
    return ".".join(segment(part) for part in (header, payload, signature))


def segment(part: object) -> str:
    """Return a part of a token: bytes as they are, the rest as JSON."""
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def settings_with(directory: Path) -> dict[str, str]:
    """Return the settings of a service that lets tokens of this issuer in, whose key set is put into a directory."""
    path = directory / "keys.json"
    path.write_text(key_set())
    return {"auth": "jwt", "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_keys": str(path)}
