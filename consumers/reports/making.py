"""Making a report: day by day, under a lease, and put together when all days are there."""

import asyncio
import hashlib
import tempfile
from contextlib import suppress
from datetime import timedelta
from typing import IO
from uuid import UUID

from cdc.chores import is_trouble_of_the_database
from cdc.database import Pool, connect_async
from cdc.due import RetryPolicy
from cdc.logs import FieldLogger
from consumers.reports.formats import FORMATS
from consumers.reports.lease import Lease, LostError
from consumers.reports.rows import rows_of_day
from producers.reports.jobs import MEDIA_TYPES
from tailrace import load_queries

QUERIES = load_queries(__package__)

CHUNK_BYTES = 512 * 1024
MAX_BYTES = 256 * 2**20
"""Of a result, which lies in the database. A row has about a hundred, so this is more than anybody looks at."""
STATEMENT_TIMEOUT_S = 300
"""For the sales of one day: some hundred million."""
RETRIES = RetryPolicy(attempts=5, first_pause_s=1, longest_pause_s=60)
"""How often a job is taken up without coming on by a single day; also one that ends its worker is given up then."""

PAUSE_S = 1.0  # before another job is tried when not even that could be written down about one

log = FieldLogger(__name__)


class GivenUpError(Exception):
    """The job cannot be done, however often it is tried; the text says why, to whoever has asked."""


class Maker:
    """Makes one report at a time, beside whatever else the process does.

    Args:
        database_url: libpq URL of the service's role.
        kept: How long results are kept.
    """

    def __init__(self, database_url: str, kept: timedelta) -> None:
        self._database_url = database_url
        self._kept = kept

    async def work(self, pool: Pool) -> None:
        """Work on jobs until none waits. Broken off, the one that is worked on is due at once for somebody else."""
        while (job_id := await self._next(pool)) is not None:
            await self.make(job_id)

    async def _next(self, pool: Pool) -> UUID | None:
        async with pool.connection() as connection:
            cursor = await connection.execute(QUERIES["due"])
            found = await cursor.fetchone()
        return found[0] if found else None

    async def make(self, job_id: UUID) -> None:
        """Work on a job until it is finished, lost or put off; raise nothing about it."""
        try:
            async with await connect_async(
                self._database_url,
                {"statement_timeout": f"{STATEMENT_TIMEOUT_S}s"},
                autocommit=True,
            ) as connection:
                lease = await Lease.take(connection, job_id)
                if lease:
                    await self._until_broken_off(lease)
        except Exception as error:
            if _is_broken_off():
                raise asyncio.CancelledError from error
            # what is not ours to repair now is taken up again when the lease is over
            if not is_trouble_of_the_database(error):
                log.exception("job left", job_id=job_id)
            else:
                log.warning("job left", job_id=job_id, error=repr(error))
            await asyncio.sleep(PAUSE_S)

    async def _until_broken_off(self, lease: Lease) -> None:
        with suppress(asyncio.CancelledError):
            await self._under(lease)
        if _is_broken_off():
            await asyncio.shield(self._release(lease))
            raise asyncio.CancelledError

    async def _release(self, lease: Lease) -> None:
        # what is under way on the other connection has not ended for certain
        async with await connect_async(self._database_url, autocommit=True) as connection:
            with suppress(LostError):
                await lease.release(connection)
        log.info("job released", job_id=lease.job_id, generation=lease.generation)

    async def _under(self, lease: Lease) -> None:
        log.info("job taken up", job_id=lease.job_id, generation=lease.generation, done=lease.done)
        try:
            _require_attempts_left(lease)
            async with (
                await connect_async(self._database_url, autocommit=True) as watching,
                asyncio.TaskGroup() as group,
            ):
                renewal = group.create_task(lease.renew(watching))
                await self._work(lease)
                renewal.cancel()
        except* LostError:
            log.info("job lost", job_id=lease.job_id, generation=lease.generation)
        except* GivenUpError as errors:
            await self._give_up(lease, str(_first(errors)))
        except* Exception as errors:  # noqa: BLE001 - it is written down with the job
            await self._put_off(lease, _first(errors))
        else:
            log.info("job done", job_id=lease.job_id, generation=lease.generation)

    async def _work(self, lease: Lease) -> None:
        for number in range(lease.done, lease.asked.days):
            rows = await rows_of_day(lease.connection, lease.asked, number)
            await lease.add_part(number, rows)
        with tempfile.TemporaryFile() as lines, tempfile.TemporaryFile() as out:
            async for part in lease.parts(lease.asked.days):
                lines.write(part)
            lines.seek(0)
            await asyncio.to_thread(FORMATS[lease.asked.format], lines, out)
            await self._keep(lease, out)

    async def _keep(self, lease: Lease, out: IO[bytes]) -> None:
        size, digest, number = out.seek(0, 2), hashlib.sha256(), 0
        if size > MAX_BYTES:
            raise GivenUpError(
                f"the report would have {size} bytes, and {MAX_BYTES} are kept; ask for fewer days or articles"
            )
        out.seek(0)
        while content := out.read(CHUNK_BYTES):
            digest.update(content)
            await lease.add_chunk(number, content)
            number += 1
        await lease.finish(MEDIA_TYPES[lease.asked.format], size, digest.hexdigest(), self._kept)

    async def _give_up(self, lease: Lease, reason: str) -> None:
        log.warning("job failed", job_id=lease.job_id, reason=reason)
        try:
            await lease.fail(reason)
        except LostError:
            log.info("job lost", job_id=lease.job_id, generation=lease.generation)

    async def _put_off(self, lease: Lease, error: Exception) -> None:
        if _is_broken_off():  # of which a statement under way tells as of any other failure
            return
        pause_s = RETRIES.pause_s(lease.attempts)
        log.warning("job put off", job_id=lease.job_id, error=repr(error), pause_s=pause_s)
        if pause_s is None:
            await self._give_up(
                lease,
                f"it was tried {lease.attempts} times without coming on, the last time ended with "
                f"{type(error).__name__}; the log of the worker says more under the id of the job",
            )
            return
        # the connection may be what was in trouble
        async with await connect_async(self._database_url, autocommit=True) as connection:
            try:
                await lease.put_off(connection, timedelta(seconds=pause_s))
            except LostError:
                log.info("job lost", job_id=lease.job_id, generation=lease.generation)


def _is_broken_off() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _require_attempts_left(lease: Lease) -> None:
    if lease.attempts > RETRIES.attempts:
        raise GivenUpError(
            f"it was taken up {RETRIES.attempts} times and never came on; ask for less at a time"
        )


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    """Return the error that a group is about."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
