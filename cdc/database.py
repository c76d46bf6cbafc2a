"""Connections to a service's own Postgres schema."""

from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

Connection = psycopg.AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]


def open_pool(database_url: str, *, max_size: int = 10, timeout_s: float = 5.0) -> Pool:
    """Return a pool of connections; it connects when entered as a context manager.

    Args:
        database_url: libpq URL of the service's own role; the password comes from the passfile it names.
        max_size: Most connections open at once.
        timeout_s: Longest wait for a free connection, in seconds.
    """
    return AsyncConnectionPool(
        database_url,
        min_size=1,
        max_size=max_size,
        timeout=timeout_s,
        open=False,
        check=AsyncConnectionPool.check_connection,
    )
