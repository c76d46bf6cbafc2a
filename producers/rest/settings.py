"""Settings of an HTTP service, read from `TAILRACE_*` environment variables."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from producers.discovery.registration import RegistrationSettings
from producers.rest.access.issuer import is_loopback
from producers.rest.access.settings import KEYS, AccessSettings
from producers.rest.limits import RequestLimits


class RequestSettings(AccessSettings, RequestLimits, BaseSettings):
    """Whose requests a service serves, and within what bounds."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", frozen=True)

    # libpq URL of the role that may read API keys
    keys_database_url: Annotated[str, Field(repr=False)] = ""

    @model_validator(mode="after")
    def _knows_keys(self) -> Self:
        if KEYS in self.ways_in and not self.keys_database_url:
            raise ValueError(
                "TAILRACE_AUTH lets API keys in, which takes TAILRACE_KEYS_DATABASE_URL as well"
            )
        return self


class ListenerSettings(RegistrationSettings):
    """Where a service listens, and where it registers."""

    ASKING: ClassVar[str] = ""
    """What would have it ask, in the sentence about it."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", frozen=True)

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)]
    # whether it may listen to other machines although it asks nobody who they are, as something before it does
    allow_anyone: bool = False

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        """Refuse to serve whoever comes along."""
        if self.allow_anyone or self.asks_who_calls or is_loopback(self.host):
            return self
        raise ValueError(
            f"TAILRACE_HOST is {self.host}, where others reach the service, and it asks nobody who they are: set "
            f"{self.ASKING}TAILRACE_ALLOW_ANYONE=true if something before it lets in only who may call, or "
            "TAILRACE_HOST=127.0.0.1 to keep it to this machine"
        )

    @property
    def asks_who_calls(self) -> bool:
        return False


class ServiceSettings(RequestSettings, ListenerSettings):
    """Where a REST service listens, and what it takes."""

    ASKING = "TAILRACE_AUTH=keys or jwt to ask them, "

    @property
    def asks_who_calls(self) -> bool:
        return bool(self.ways_in)
