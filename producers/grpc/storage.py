"""The database of a gRPC service: what it is told, and its pool."""

from typing import Annotated

from pydantic import Field

from cdc.database import Pool, open_pool
from producers.rest.settings import ListenerSettings

CONNECTION_TIMEOUT_S = 2.0  # longest wait for a connection of the pool


class StorageSettings(ListenerSettings):
    """What a gRPC service with a database needs to know."""

    # libpq URL of the service's own role
    database_url: Annotated[str, Field(min_length=1, repr=False)]


def open_reading_pool(settings: StorageSettings) -> Pool:
    """Return a pool for calls that read: each statement is a transaction of its own."""
    return open_pool(settings.database_url, timeout_s=CONNECTION_TIMEOUT_S, reads_only=True)
