"""Waiting until jobs are finished: one look at the database for all who wait, however many they are."""

import asyncio
from collections import defaultdict
from contextvars import Context
from uuid import UUID

from cdc.database import Pool
from producers.reports.jobs import QUERIES

LOOK_EVERY_S = 0.1


class Watch:
    """Tells whoever waits for a job that it is finished.

    Args:
        pool: Of the database that jobs are in.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: defaultdict[UUID, set[asyncio.Future[None]]] = defaultdict(set)
        self._looking: asyncio.Task[None] | None = None

    async def until_finished(self, job_id: UUID, timeout_s: float) -> None:
        """Return when a job is finished, or the time is over; also when there is no such job.

        Raises:
            Exception: the database cannot be asked.
        """
        told = asyncio.get_running_loop().create_future()
        self._waiting[job_id].add(told)
        if self._looking is None or self._looking.done():
            # for all who wait, and so not with the deadline of the first of them
            self._looking = asyncio.create_task(self._look(), context=Context())
        try:
            async with asyncio.timeout(timeout_s):
                await told
        except TimeoutError:
            if told.done() and not told.cancelled() and told.exception():
                raise
        finally:
            self._forget(job_id, told)

    async def _look(self) -> None:
        while self._waiting:
            job_ids = list(self._waiting)
            try:
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(
                        QUERIES["still_at_work"], {"job_ids": job_ids}
                    )
                    at_work = {job_id for (job_id,) in await cursor.fetchall()}
            except Exception as error:  # noqa: BLE001 - each who waits raises it
                self._tell(job_ids, error)
            else:
                self._tell([each for each in job_ids if each not in at_work])
            await asyncio.sleep(LOOK_EVERY_S)

    def _tell(self, job_ids: list[UUID], error: Exception | None = None) -> None:
        told = [future for job_id in job_ids for future in self._waiting.get(job_id, ())]
        for future in told:
            if future.done():
                continue
            if error:
                future.set_exception(error)
            else:
                future.set_result(None)

    def _forget(self, job_id: UUID, told: "asyncio.Future[None]") -> None:
        waiting = self._waiting[job_id]
        waiting.discard(told)
        if not waiting:
            del self._waiting[job_id]
