"""A job that a worker has taken up: what he writes about it, as long as nobody else has taken it up since.

Each statement is a transaction of its own and looks at the generation in the row that it locks. So a worker that was
frozen, and a second one that took over meanwhile, cannot both write.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from producers.reports.jobs import Asked
from tailrace import Connection, load_queries

QUERIES = load_queries(__package__)

LEASE = timedelta(seconds=15)
"""How long after its last sign of life a worker is taken for dead, and the job given to another one."""
RENEW_EVERY_S = 3.0


class LostError(Exception):
    """The job is not ours any more: it was cancelled, or somebody has taken over."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A job under one generation.

    Args:
        connection: In autocommit, for what is written.
        attempts: How often it was taken up since it last came on, this time included.
        done: Parts that were there already.
    """

    connection: Connection
    job_id: UUID
    generation: int
    attempts: int
    done: int
    asked: Asked

    @classmethod
    async def take(cls, connection: Connection, job_id: UUID) -> "Lease | None":
        """Take a job up, if it is due."""
        values = {"job_id": job_id, "lease": LEASE}
        cursor = await connection.execute(QUERIES["claim"], values)
        row = await cursor.fetchone()
        if row is None:
            return None
        generation, attempts, done, request = row
        return cls(connection, job_id, generation, attempts, done, Asked.from_json(request))

    async def renew(self, connection: Connection) -> None:
        """Give signs of life for good, on a connection of its own, since a statement may take long.

        Raises:
            LostError: the job is not ours any more.
        """
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            await self._write("renew", connection)

    async def add_part(self, number: int, rows: bytes) -> None:
        """Keep what was worked out as the next part."""
        await self._write("add_part", number=number, rows=rows)

    async def parts(self, count: int) -> AsyncIterator[bytes]:
        """Yield the first parts in their order, one in memory at a time."""
        for number in range(count):
            values = {"job_id": self.job_id, "number": number}
            cursor = await self.connection.execute(QUERIES["part"], values)
            row = await cursor.fetchone()
            if row is None:
                raise LostError(f"part {number} of job {self.job_id} is gone")
            yield row[0]

    async def add_chunk(self, number: int, content: bytes) -> None:
        """Keep a piece of the result."""
        await self._write("add_chunk", number=number, content=content)

    async def finish(self, media_type: str, size: int, digest: str, kept: timedelta) -> None:
        """Tell that the result is whole."""
        await self._write("finish", media_type=media_type, bytes=size, digest=digest, kept=kept)

    async def fail(self, reason: str) -> None:
        """Give the job up."""
        await self._write("fail", reason=reason)

    async def put_off(self, connection: Connection, pause: timedelta) -> None:
        """Let go of the job until a pause is over."""
        await self._write("put_off", connection, pause=pause)

    async def release(self, connection: Connection) -> None:
        """Let go of the job for somebody else to take up at once; that it was broken off is not held against it."""
        await self._write("release", connection)

    async def _write(self, query: str, connection: Connection | None = None, **values: Any) -> None:
        """Carry out a statement that returns the job if it is ours.

        Raises:
            LostError: it is not.
        """
        ours = {"job_id": self.job_id, "generation": self.generation, "lease": LEASE}
        cursor = await (connection or self.connection).execute(QUERIES[query], ours | values)
        if await cursor.fetchone() is None:
            raise LostError(f"job {self.job_id} was cancelled or taken over")
