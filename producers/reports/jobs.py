"""Jobs as whoever asked for them sees them: begun with their command, shown, cancelled, and what they have made."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from cdc.database import Connection, Pool, borrow
from cdc.deadline import Deadline, afresh
from cdc.ids import new_id
from cdc.sql import load_queries
from cdc.work import UnitOfWork
from schemas.messages.reports import MakeReport

QUERIES = load_queries(__package__)

MAX_WAITING = 100
"""Jobs that wait at most: workers take them one after the other, and nobody waits for hours."""
LONGEST_FETCH_S = 5.0
SUFFIXES = {"text/csv; charset=utf-8": "csv", "application/vnd.apache.parquet": "parquet"}
"""Media types of results, with the ending of a file's name."""
MEDIA_TYPES = {suffix: media_type for media_type, suffix in SUFFIXES.items()}
AT_WORK = frozenset({"queued", "running"})


class TooManyJobsError(Exception):
    """So many jobs wait already that this one would wait too long."""


class JobFinishedError(Exception):
    """The job is finished otherwise, and cannot be cancelled; the text says how it stands."""


class ResultGoneError(Exception):
    """What a job has made was taken away while it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is shown of a row of `job`, where each column says more of itself."""

    job_id: UUID
    request: Mapping[str, Any]
    status: str
    generation: int
    attempts: int
    done: int
    total: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    reason: str | None
    media_type: str | None
    bytes: int | None
    digest: str | None
    is_expired: bool

    @property
    def is_at_work(self) -> bool:
        return self.status in AT_WORK

    @property
    def shown_status(self) -> str:
        """How it stands to its reader, for whom a result that is gone is not there any more."""
        return "expired" if self.status == "done" and self.is_expired else self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a report is to be about, as it is kept with the job; see `schemas.rest.reports.v2.MakeReport`."""

    first_day: date
    days: int
    format: str
    currencies: tuple[str, ...]
    skus: tuple[str, ...]

    def day(self, number: int) -> date:
        return self.first_day + timedelta(days=number)

    def to_json(self) -> Any:
        return _ASKED.dump_python(self, mode="json")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Asked":
        return _ASKED.validate_python(value)


_ASKED = TypeAdapter(Asked)


async def begin(asked: Asked, work: UnitOfWork) -> Job:
    """Keep a job, and send the command to work on it: both, or neither.

    Raises:
        TooManyJobsError: as many jobs wait as may.
    """
    cursor = await work.connection.execute(QUERIES["waiting"], {"limit": MAX_WAITING})
    if (await cursor.fetchall())[0][0] >= MAX_WAITING:
        raise TooManyJobsError
    job_id = new_id()
    row = {"job_id": job_id, "request": Jsonb(asked.to_json()), "total": asked.days}
    await work.connection.execute(QUERIES["add"], row)
    await work.send(MakeReport(job_id=job_id), key=str(job_id))
    job = await find(work.connection, job_id)
    if job is None:
        raise LookupError(f"job {job_id} is not there, in the transaction that has written it")
    return job


async def find(connection: Connection, job_id: UUID) -> Job | None:
    async with connection.cursor(row_factory=class_row(Job)) as cursor:
        await cursor.execute(QUERIES["find"], {"job_id": job_id})
        return await cursor.fetchone()


async def cancel(connection: Connection, job_id: UUID) -> Job | None:
    """Cancel a job and return it; nothing happens to one that is cancelled already.

    Raises:
        JobFinishedError: it is done, or has failed.
    """
    await connection.execute(QUERIES["cancel"], {"job_id": job_id})
    job = await find(connection, job_id)
    if job is not None and job.status != "cancelled":
        raise JobFinishedError(f"job {job_id} is {job.shown_status}; there is nothing to cancel")
    return job


async def result(pool: Pool, job: Job) -> AsyncIterator[bytes]:
    """Yield what a job has made, piece by piece, with no transaction open between two of them.

    Whoever reads slowly may take longer than a request may: each piece has a time of its own.

    Raises:
        ResultGoneError: it has expired meanwhile.
    """
    number, left = 0, job.bytes or 0
    while left > 0:
        place = {"job_id": job.job_id, "generation": job.generation, "number": number}
        with afresh(Deadline.after(LONGEST_FETCH_S)):
            async with borrow(pool) as connection:
                cursor = await connection.execute(QUERIES["chunk"], place)
                row = await cursor.fetchone()
        if row is None:
            raise ResultGoneError(f"the result of job {job.job_id} has expired while it was read")
        yield row[0]
        number, left = number + 1, left - len(row[0])
