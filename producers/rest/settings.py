"""Settings of an HTTP service, read from `TAILRACE_*` environment variables."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from producers.discovery.registration import RegistrationSettings


class RequestSettings(BaseSettings):
    """Bounds of the requests that a service serves."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", frozen=True)

    # time of a request that does not say how long it is waited for
    request_timeout_ms: Annotated[int, Field(ge=10, le=600_000)] = 10_000
    # time of a request at most, whatever it says
    request_timeout_max_ms: Annotated[int, Field(ge=10, le=3_600_000)] = 60_000
    # requests that are served at once; what comes on top is refused
    requests_in_flight: Annotated[int, Field(ge=1, le=100_000)] = 512
    # streams of events that are open at once; fewer where they would take more than half of the connections
    streams_open: Annotated[int, Field(ge=1, le=100_000)] = 500


class ServiceSettings(RequestSettings, RegistrationSettings):
    """Where a service listens, what it takes, and where it registers."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)]
