"""What tells one request from another: the key that its client gave it, who sent it where, and what it says."""

import hashlib
import re
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import Scope

from producers.rest.access.principal import PRINCIPAL, Principal
from producers.rest.negotiation import OFFER
from producers.rest.problems import ProblemError
from schemas.rest.problem import MALFORMED_KEY

IDEMPOTENCY_KEY = "idempotency-key"
MAX_KEY_CHARACTERS = 255
ANONYMOUS = "anonymous"

_QUOTED = re.compile(r'"(?:[ !#-\[\]-~]|\\["\\])*"')
"""A string of RFC 9651: printable ASCII, with a backslash before quotes and backslashes."""
_BARE = re.compile(r"[!#-+\--\[\]-~]+")
"""Printable ASCII without space, quote, backslash and the comma, with which proxies join two headers to one."""
_ESCAPED = re.compile(r'\\(["\\])')


def key_of(headers: Headers) -> str | None:
    """Return the key of a request, without the quotes that it may have; None if there is none, 400 if it is none."""
    given = headers.getlist(IDEMPOTENCY_KEY)
    if not given:
        return None
    text = given[0].strip(" \t")
    key = _ESCAPED.sub(r"\1", text[1:-1]) if _QUOTED.fullmatch(text) else text
    if len(given) > 1 or not (_QUOTED.fullmatch(text) or _BARE.fullmatch(text)):
        told = "Idempotency-Key must be there once, as a quoted string of printable ASCII, or as one without spaces"
    elif not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        told = f"Idempotency-Key has {len(key)} characters, and may have 1 to {MAX_KEY_CHARACTERS}"
    else:
        return key
    raise ProblemError(400, f"{told}; send a UUID, for example", kind=MALFORMED_KEY)


def quoted(key: str) -> str:
    """Return a key as a header has it."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def place_of(scope: Scope, key: str) -> bytes:
    """Return what a key means where it was sent: another caller, method or path has keys of its own."""
    return _digest([_caller(scope), scope["method"], scope["path"], key])


def passed_on(scope: Scope, key: str) -> str:
    """Return the key under which a request is made of another service, which knows us alone and none of our callers."""
    caller = _caller(scope)
    return quoted(key if caller == ANONYMOUS else _digest([caller, key]).hex())


def fingerprint(scope: Scope, body_digest: bytes) -> bytes:
    """Return what tells a request from another one under the same key.

    Bodies are compared byte by byte. To compare what they mean would take an opinion on every number and every field,
    and a client that repeats a request has its bytes still.
    """
    conditions = Headers(scope=scope).getlist(
        "if-match"
    )  # on another one the answer may be another
    offer = scope["state"].get(OFFER)
    version = str(offer.version.number) if offer else ""
    query = scope["query_string"].decode("latin-1")
    return _digest([version, query, body_digest.hex(), *conditions])


def _caller(scope: Scope) -> str:
    principal: Principal | None = scope["state"].get(PRINCIPAL)
    return principal.name if principal else ANONYMOUS


def _digest(parts: Iterable[str]) -> bytes:
    """Return a digest that no other sequence of parts has."""
    found = hashlib.sha256()
    for part in parts:
        octets = part.encode("utf-8", "surrogatepass")
        found.update(len(octets).to_bytes(8) + octets)
    return found.digest()
