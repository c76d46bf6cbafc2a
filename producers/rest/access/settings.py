"""Whom a service lets in, and how often, as it is set."""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from producers.rest.access.issuer import ALGORITHMS, require_trusted
from producers.rest.access.rate import Rate

KEYS = "keys"
JWT = "jwt"
OFF = "off"
BY_DEFAULT = "default"
DEFAULT_RATE = Rate(100, 1)
MAX_KEYS_AGE_S = 3600


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _ways(text: str) -> str:
    if text != OFF and not set(_words(text)) <= {KEYS, JWT}:
        raise ValueError("it is off, keys, jwt, or keys,jwt")
    return text


def _algorithms(text: str) -> str:
    if unknown := sorted(set(_words(text)) - ALGORITHMS.keys()):
        raise ValueError(
            f"{unknown[0] or 'nothing'} is no algorithm that tokens can be verified by: {', '.join(ALGORITHMS)}"
        )
    return text


def _rate(text: str) -> str:
    if text not in {OFF, BY_DEFAULT}:
        Rate.parse(text)
    return text


class AccessSettings(BaseModel):
    """Settings that say who may call, by what, and how often.

    Args:
        auth: By what clients say who they are: `off`, `keys`, `jwt`, or both, with a comma between them.
        rate_limit: How often each client may call, such as `100/s`, `600/min` or `5000/h`; `off`; or `default`, which
            is 100/s where clients say who they are, and off where they do not.
        rate_limit_processes: How many processes of a service share its requests; each lets its part of the rate
            through.
        keys_max_age_s: For how many seconds at most a service lets keys in that it cannot look up any more.
        jwt_issuer: Who issues tokens, as they say in `iss`.
        jwt_audience: Whom they are meant for, as they say in `aud`.
        jwt_keys: JSON Web Key Set of the issuer: a file, or a URL by https or of this machine.
        jwt_algorithms: Algorithms that tokens may be signed by, with commas between them.
        jwt_leeway_s: By how many seconds the clocks of issuer and service may differ.
        jwt_scopes_claim: The claim with the scopes.
    """

    auth: Annotated[str, AfterValidator(_ways)] = OFF
    rate_limit: Annotated[str, AfterValidator(_rate)] = BY_DEFAULT
    rate_limit_processes: Annotated[int, Field(ge=1, le=10_000)] = 1
    keys_max_age_s: Annotated[int, Field(ge=5, le=MAX_KEYS_AGE_S)] = 10
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_keys: Annotated[str, AfterValidator(require_trusted)] = ""
    jwt_algorithms: Annotated[str, AfterValidator(_algorithms)] = "RS256,ES256"
    jwt_leeway_s: Annotated[int, Field(ge=0, le=300)] = 30
    jwt_scopes_claim: Annotated[str, Field(min_length=1)] = "scope"

    @property
    def ways_in(self) -> Collection[Literal["keys", "jwt"]]:
        """By what clients may say who they are; by nothing where nobody is asked."""
        return [way for way in (KEYS, JWT) if way in _words(self.auth)]  # type: ignore[misc]

    @property
    def algorithms(self) -> frozenset[str]:
        return frozenset(_words(self.jwt_algorithms))

    @property
    def rate(self) -> Rate | None:
        """What one process lets a client through; None for everything."""
        if self.rate_limit == BY_DEFAULT:
            rate = DEFAULT_RATE if self.ways_in else None
        else:
            rate = None if self.rate_limit == OFF else Rate.parse(self.rate_limit)
        return rate and rate.shared_by(self.rate_limit_processes)

    @model_validator(mode="after")
    def _can_verify(self) -> "AccessSettings":
        """Refuse to let tokens in of which nothing is known."""
        needed = {
            "TAILRACE_JWT_ISSUER": self.jwt_issuer,
            "TAILRACE_JWT_AUDIENCE": self.jwt_audience,
            "TAILRACE_JWT_KEYS": self.jwt_keys,
        }
        if JWT in self.ways_in and not all(needed.values()):
            missing = ", ".join(name for name, value in needed.items() if not value)
            raise ValueError(f"TAILRACE_AUTH lets tokens in, which takes {missing} as well")
        return self
