"""Connections to a service's own Postgres schema."""

from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

Connection = psycopg.AsyncConnection[Any]
Pool = AsyncConnectionPool[Connection]


def open_pool(
    database_url: str,
    *,
    max_size: int = 10,
    timeout_s: float = 5.0,
    check: bool = True,
    idle_in_transaction_s: float | None = None,
) -> Pool:
    """Return a pool of connections; it connects when entered as a context manager.

    Args:
        database_url: libpq URL of the service's own role; the password comes from the passfile it names.
        max_size: Most connections open at once.
        timeout_s: Longest wait for a free connection, in seconds.
        check: Whether a connection is tried before it is lent, which costs a round trip each time. Who repeats what
            fails for a lost connection can do without.
        idle_in_transaction_s: How long a transaction may be left alone before Postgres ends it, in seconds.
    """
    return AsyncConnectionPool(
        database_url,
        min_size=1,
        max_size=max_size,
        timeout=timeout_s,
        open=False,
        check=AsyncConnectionPool.check_connection if check else None,
        configure=_limit_idling(idle_in_transaction_s) if idle_in_transaction_s else None,
    )


def _limit_idling(seconds: float) -> Callable[[Connection], Awaitable[None]]:
    async def configure(connection: Connection) -> None:
        await connection.execute(
            "select set_config('idle_in_transaction_session_timeout', %s, false)",
            [f"{seconds * 1000:.0f}ms"],
        )
        await connection.commit()

    return configure
