"""The database of a gRPC service: what it is told, and transactions that end with the call that they belong to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import Field

from cdc.database import Connection, Pool
from cdc.deadline import current_deadline
from producers.rest.settings import ServiceSettings

CONNECTION_TIMEOUT_S = 2.0  # longest wait for a connection of the pool


class StorageSettings(ServiceSettings):
    """What a gRPC service with a database needs to know."""

    # libpq URL of the service's own role
    database_url: Annotated[str, Field(min_length=1, repr=False)]


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Open a transaction whose statements Postgres ends when the deadline is over.

    Raises:
        DeadlineExceededError: it is over before anything was asked.
    """
    deadline = current_deadline()
    wait_s = (
        CONNECTION_TIMEOUT_S if deadline is None else min(deadline.require(0), CONNECTION_TIMEOUT_S)
    )
    async with pool.connection(timeout=wait_s) as connection, connection.transaction():
        if deadline is not None:
            # at least 1 ms, as 0 would be for ever
            timeout_ms = max(1, int(deadline.require(0) * 1000))
            await connection.execute(
                "select set_config('statement_timeout', %s, true)", [str(timeout_ms)]
            )
        yield connection
