"""JSON Web Tokens (RFC 7519) of one issuer: whether one is good here, and what it says of its sender.

The configuration says which algorithms there are, and the issuer's set which key goes with which: a token chooses among
these, and brings nothing of its own. The steps are those of RFC 8725 and RFC 9068.
"""

import hashlib
import time
import warnings
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError, SecurityWarning
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from producers.rest import strict_json
from producers.rest.access.jwks import IssuerKeys
from producers.rest.access.principal import CredentialError, Principal

MAX_TOKEN_BYTES = 8 * 1024
MAX_SUBJECT_CHARACTERS = 255
MOST_VERIFIED = 10_000
"""Tokens that are remembered as verified; beyond them the memory begins anew."""
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
REFUSED_HEADERS = frozenset("b64 crit cty enc jku jwk x5c x5u zip".split())
"""What would change how a token is read, or brings the key by which it is to be believed."""

_MALFORMED = "it is no JSON Web Token"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a token has to be.

    Args:
        issuer: Who has to have issued it, as it says in `iss`.
        audience: Whom it has to be meant for, as it says in `aud`.
        algorithms: Names of `issuer.ALGORITHMS` by which it may be signed.
        leeway_s: By how much the clocks of issuer and service may differ, in seconds.
        scopes_claim: Name of the claim that says what it allows: words in a string, or a list of them.
    """

    issuer: str
    audience: str
    algorithms: frozenset[str]
    leeway_s: int
    scopes_claim: str


class Tokens:
    """Tells whose a token is.

    Args:
        rules: What it has to be.
        keys: The keys of the issuer.
        clock: Tells the time, in seconds since 1970.
    """

    def __init__(
        self, rules: TokenRules, keys: IssuerKeys, clock: Callable[[], float] = time.time
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock
        required = {name: {"essential": True} for name in ("exp", "sub")}
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=rules.leeway_s,
            iss={"essential": True, "value": rules.issuer},
            aud={"essential": True, "value": rules.audience},
            **required,  # type: ignore[arg-type]  # a typed dict of the same
        )
        self._verified: dict[bytes, tuple[Principal, float]] = {}
        self._verified_by = keys.version

    def kept_up(self) -> AbstractAsyncContextManager[None]:
        """Know the keys of the issuer while the block runs."""
        return self._keys.kept_up()

    async def principal_of(self, token: str) -> Principal:
        """Return who has sent a token.

        Raises:
            CredentialError: it is not good here.
            UncheckedError: the keys of the issuer are not known.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise CredentialError(f"a token has at most {MAX_TOKEN_BYTES} bytes")
        if self._verified_by != self._keys.version:
            self._verified, self._verified_by = {}, self._keys.version
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._verified.get(digest)
        if known is None:
            known = await self._verify(token)
            if len(self._verified) >= MOST_VERIFIED:
                self._verified.clear()
            self._verified[digest] = known
        principal, until = known
        if self._clock() >= until:
            raise CredentialError("the token has expired")
        return principal

    async def _verify(self, token: str) -> tuple[Principal, float]:
        kid, algorithm = self._header_of(token)
        key = await self._keys.find(kid, algorithm)
        if key is None:
            raise CredentialError("it is signed by a key that its issuer does not have")
        claims = self._claims_of(token, key, algorithm)
        return self._principal(claims), claims["exp"] + self._rules.leeway_s

    def _header_of(self, token: str) -> tuple[str | None, str]:
        """Return the name of the key and the algorithm, of a header that nobody has vouched for yet."""
        segments = token.split(".")
        if len(segments) != 3 or not token.isascii():
            raise CredentialError(_MALFORMED)
        try:
            header = strict_json.loads(urlsafe_b64decode(segments[0].encode()))
        except ValueError:
            raise CredentialError(_MALFORMED) from None
        if not isinstance(header, dict):
            raise CredentialError(_MALFORMED)
        if refused := sorted(REFUSED_HEADERS & header.keys()):
            raise CredentialError(f"a token with {refused[0]} in its header is not taken")
        if not _is_text(header.get("typ", "JWT")) or header.get("typ", "JWT").lower() not in TYPES:
            raise CredentialError("its type is not that of an access token")
        algorithm, kid = header.get("alg"), header.get("kid")
        if not _is_text(algorithm) or algorithm not in self._rules.algorithms:
            raise CredentialError("its algorithm is not allowed")
        if not (kid is None or _is_text(kid)):
            raise CredentialError(_MALFORMED)
        return kid, algorithm

    def _claims_of(self, token: str, key: Key, algorithm: str) -> Mapping[str, Any]:
        try:
            with warnings.catch_warnings():
                # that EdDSA has a newer name does not make it weaker
                warnings.simplefilter("ignore", SecurityWarning)
                claims = jwt.decode(token, key, registry=_registry([algorithm])).claims
            self._claims.validate(claims)
        except ExpiredTokenError:
            raise CredentialError("the token has expired") from None
        except ClaimError as error:
            raise CredentialError(f"its {error.claim} is missing, or not one for here") from None
        except (JoseError, ValueError, TypeError, RecursionError):
            raise CredentialError("its signature or its content is broken") from None
        return claims

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        subject = claims["sub"]
        if not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:
            raise CredentialError(f"its sub has more than {MAX_SUBJECT_CHARACTERS} characters")
        given = claims.get(self._rules.scopes_claim, "")
        scopes = given.split() if isinstance(given, str) else given
        if not isinstance(scopes, list) or not all(map(_is_text, scopes)):
            raise CredentialError(f"its {self._rules.scopes_claim} is no list of scopes")
        return Principal(f"jwt:{self._rules.issuer} {subject}", frozenset(scopes))


def _registry(algorithms: Collection[str]) -> JWSRegistry:
    # headers that nobody knows are to be ignored (RFC 7515, 4); those that are not are refused before
    registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
    registry.max_header_length = registry.max_payload_length = MAX_TOKEN_BYTES
    return registry


def _is_text(value: object) -> bool:
    return isinstance(value, str)
