"""What every worker needs to know of its surroundings, from the environment."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class WorkerSettings(BaseSettings):
    """Where a worker finds its database, broker and registry.

    Args:
        database_url: libpq URL of the service's own role.
        kafka_bootstrap: `host:port` of a broker.
        registry_url: Base URL of the registry's Confluent-compatible API.
        schema_cache: Directory in which schema ids are kept.
    """

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore")

    database_url: str
    kafka_bootstrap: str
    registry_url: str
    schema_cache: Path
