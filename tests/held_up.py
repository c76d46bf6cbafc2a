"""Whether somebody waits for a transaction that a test holds open."""

import asyncio
from typing import Any

from tailrace import Connection

WAITING = "select 1 from pg_locks where not granted and %s = any (pg_blocking_pids(pid))"


async def held_up(task: "asyncio.Task[Any]", by: Connection, look: Connection) -> bool:
    """Tell whether a task has come to wait for a transaction; it has not when it ends before."""
    while not task.done():
        found = await look.execute(WAITING, [by.info.backend_pid])
        if found.rowcount:
            return True
        await asyncio.wait([task], timeout=0.05)
    return False
