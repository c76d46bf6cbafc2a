"""What stands before the endpoints: it asks who calls, counts what each client asks for, and knows what they may."""

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Receive, Scope, Send

from cdc.metrics import METRICS
from producers.rest.access.api_key import PREFIX, ApiKey
from producers.rest.access.keyring import Keyring
from producers.rest.access.principal import (
    PRINCIPAL,
    CredentialError,
    Principal,
    UncheckedError,
    forbidden,
    unauthenticated,
    unchecked,
)
from producers.rest.access.rate import Rate, RateLimit, network_of
from producers.rest.access.settings import JWT, KEYS, AccessSettings
from producers.rest.context import answer_headers
from producers.rest.figures import FIGURES, WATCHED
from producers.rest.problems import ProblemError
from schemas.rest.api import FIGURES_SCOPE
from schemas.rest.problem import RATE_LIMITED

if TYPE_CHECKING:
    from producers.rest.access.tokens import Tokens

OPEN = frozenset({"/", "/health", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"})
"""Where nobody is asked: what a probe looks at, and what is told of the API, which is no secret."""
TOLD = frozenset({FIGURES, METRICS})
"""What is for those alone whose credentials have the scope of figures."""


class Guard:
    """Knows who may call a service, and how often.

    Args:
        settings: Whom it lets in.
        keys_database_url: libpq URL of the role that may read API keys; it is used where these let in.
    """

    def __init__(self, settings: AccessSettings, *, keys_database_url: str = "") -> None:
        self._keyring: Keyring | None = None
        self._tokens: Tokens | None = None
        if KEYS in settings.ways_in:
            self._keyring = Keyring(keys_database_url, max_age_s=settings.keys_max_age_s)
        if JWT in settings.ways_in:
            self._tokens = _tokens(settings)
        self._limit = RateLimit(settings.rate) if settings.rate else None
        self.denied = 0

    @property
    def asks(self) -> bool:
        """Whether clients have to say who they are."""
        return self._keyring is not None or self._tokens is not None

    def figures(self) -> Mapping[str, int]:
        """Return what operators see."""
        return {"denied": self.denied, "rate_limited": self._limit.refused if self._limit else 0}

    @asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Know keys and issuers while the block runs."""
        async with AsyncExitStack() as stack:
            for each in (self._keyring, self._tokens):
                if each is not None:
                    await stack.enter_async_context(each.kept_up())
            yield

    async def admit(self, scope: Scope) -> None:
        """Note who has sent a request, and count it.

        Raises:
            ProblemError: it is from nobody who is known (401), from one who may not (403) or has had enough (429), or
                whose it is cannot be told at the moment (503).
        """
        path, client = scope["path"], None
        if self.asks and path not in OPEN:
            principal = scope["state"][PRINCIPAL] = await self._principal_of(scope)
            client = principal.name
            if path in TOLD:
                self.require(scope, FIGURES_SCOPE)
        if self._limit is not None and path not in WATCHED:
            taken = self._limit.take(client or _address(scope))
            answer_headers(scope).update(taken.headers())
            if taken.wait_s is not None:
                raise _too_many(taken.rate, taken.wait_s)

    def require(self, scope: Scope, needed: str) -> None:
        """Refuse a request whose credentials lack a scope."""
        if not self.asks:
            return
        principal: Principal | None = scope["state"].get(PRINCIPAL)
        if principal is None:
            self.denied += 1
            raise unauthenticated()
        if needed not in principal.scopes:
            self.denied += 1
            raise forbidden(needed)

    async def _principal_of(self, scope: Scope) -> Principal:
        try:
            return await self._owner_of(_bearer(scope))
        except CredentialError as error:
            self.denied += 1
            raise unauthenticated(str(error) or None) from None
        except UncheckedError as error:
            raise unchecked(error) from None

    async def _owner_of(self, credential: str) -> Principal:
        if credential.startswith(PREFIX):
            if self._keyring is None:
                raise CredentialError("no API keys are taken here")
            key = ApiKey.parse(credential)
            if key is None:
                raise CredentialError("the API key is not as it was given out")
            return self._keyring.principal_of(key)
        if self._tokens is None:
            raise CredentialError("only API keys are taken here")
        return await self._tokens.principal_of(credential)


class Guarded:
    """ASGI middleware: has a guard admit each request. It needs to stand where problems are answered."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._guard.admit(scope)
        await self._app(scope, receive, send)


def _tokens(settings: AccessSettings) -> "Tokens":
    # they bring cryptography, which a service that takes no tokens need not load
    from producers.rest.access.jwks import IssuerKeys
    from producers.rest.access.tokens import TokenRules, Tokens

    rules = TokenRules(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        algorithms=settings.algorithms,
        leeway_s=settings.jwt_leeway_s,
        scopes_claim=settings.jwt_scopes_claim,
    )
    return Tokens(rules, IssuerKeys(settings.jwt_keys))


def _bearer(scope: Scope) -> str:
    """Return what a request shows (RFC 6750); neither a URL nor a body is looked at, as both end up in logs.

    Raises:
        CredentialError: nothing that could be judged; without a text where it shows nothing at all.
    """
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if not given:
        raise CredentialError
    if len(given) > 1:
        raise CredentialError("Authorization is there more than once")
    text: str = given[0].decode("latin-1")
    scheme, _, credential = text.partition(" ")
    credential = credential.strip(" ")
    if scheme.lower() != "bearer" or not credential:
        raise CredentialError("Authorization is to be `Bearer` and an API key or token")
    return credential


def _address(scope: Scope) -> str:
    """Return who is counted where nobody says who they are: what a proxy says of that, anybody could."""
    client: Any = scope.get("client")
    return network_of(client[0]) if client else ""


def _too_many(rate: Rate, wait_s: float) -> ProblemError:
    seconds = max(1, math.ceil(wait_s))
    told = (
        f"this client has sent more than {rate.requests} requests in {rate.seconds} s; nothing was done, "
        f"try again in {seconds} s"
    )
    return ProblemError(429, told, kind=RATE_LIMITED, headers={"retry-after": str(seconds)})
