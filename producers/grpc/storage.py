"""The database of a gRPC service: what it is told, and transactions that end with the call that they belong to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import Field

from cdc.database import Connection, Pool
from cdc.deadline import current_deadline
from producers.rest.settings import ServiceSettings

CONNECTION_TIMEOUT_S = 2.0  # longest wait for a connection of the pool
LEAST_S = 0.005  # with less left, a transaction is not begun


class StorageSettings(ServiceSettings):
    """What a gRPC service with a database needs to know."""

    # libpq URL of the service's own role
    database_url: Annotated[str, Field(min_length=1, repr=False)]


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Open a transaction; neither the wait for it nor a statement in it outlasts the deadline, see `open_pool`.

    Raises:
        DeadlineExceededError: it is over before anything was asked.
    """
    deadline = current_deadline()
    remaining_s = deadline.require(LEAST_S) if deadline else CONNECTION_TIMEOUT_S
    wait_s = min(CONNECTION_TIMEOUT_S, remaining_s)
    async with pool.connection(timeout=wait_s) as connection, connection.transaction():
        yield connection
