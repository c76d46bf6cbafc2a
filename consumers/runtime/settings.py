"""What every worker needs to know of its surroundings, from the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class WorkerSettings(BaseSettings):
    """Where a worker finds its database, broker and registry, and where it tells how it is.

    Args:
        database_url: libpq URL of the service's own role.
        kafka_bootstrap: `host:port` of a broker.
        registry_url: Base URL of the registry's Confluent-compatible API.
        schema_cache: Directory in which schema ids are kept.
        host: Address of the health endpoints.
        port: Port of the health endpoints; 0 takes any that is free.
        stall_s: How long a worker may have work and do nothing before it is restarted, in seconds. Three quarters
            of it is how long a call of a handler may take, and half of it how long it may leave its transaction idle,
            waiting for somebody else, before Postgres ends it.
    """

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore")

    database_url: str
    kafka_bootstrap: str
    registry_url: str
    schema_cache: Path
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    stall_s: Annotated[float, Field(gt=0)] = 120.0
