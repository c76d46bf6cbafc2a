"""Version 2 of reports: how one is asked for, and how the job that makes it is followed and cancelled."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from cdc.deadline import current_deadline
from producers.reports import jobs
from producers.reports.jobs import Asked, Job
from producers.reports.watch import Watch
from producers.rest.context import Context
from producers.rest.preferences import PREFERENCE_APPLIED, preferred_wait_s
from producers.rest.problems import REFUSALS, ProblemError, answers, unavailable
from producers.rest.storage import Storage, Stored
from producers.rest.versions import version_router
from schemas.rest.problem import Problem
from schemas.rest.reports import API, JOB_FAILED, JOB_FINISHED, JOB_NOT_FOUND, V2, v2

MAX_WAIT_S = 8
"""Shorter than clients wait for an answer, and than a service that is told to stop waits for its last ones."""
KEPT_S = 0.5  # what is left of a deadline for the answer itself
LOOK_AGAIN_S = 1
BUSY_S = 30
STATUS_OF_FAILURE = 500

ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"headers": {"Location": {}, "Retry-After": {}}}}
FOUND: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"Retry-After": {}, "Preference-Applied": {}}}
}
PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=5`: answer once the job is finished, or after 5 seconds (RFC 7240).",
    "schema": {"type": "string"},
    "example": "wait=5",
}

router = version_router(API, V2)


async def _watch(request: Request, storage: Stored) -> Watch:
    watch: Watch | None = getattr(request.app.state, "watch", None)
    if watch is None:
        watch = request.app.state.watch = Watch(storage.pool)
    return watch


Watched = Annotated[Watch, Depends(_watch)]


@router.post(
    "/reports",
    status_code=202,
    response_model_exclude_none=True,
    responses=ACCEPTED | REFUSALS | answers(503),
)
async def make(
    report: v2.MakeReport, storage: Stored, context: Context, response: Response
) -> v2.Job:
    """Have a report made. The answer comes at once, with the job in `Location`; ask there until it is done."""
    try:
        async with storage.work(context) as work:
            job = await jobs.begin(to_asked(report), work)
    except jobs.TooManyJobsError:
        told = f"{jobs.MAX_WAITING} jobs wait already; nothing was done, try again later"
        raise unavailable(told, retry_after_s=BUSY_S) from None
    response.headers["location"] = path_of(job.job_id)
    return _told(job, response)


@router.get(
    "/jobs/{job_id}",
    response_model_exclude_none=True,
    responses=FOUND | answers(404, 503),
    openapi_extra={"parameters": [PREFER]},
)
async def show(
    job_id: UUID, storage: Stored, watch: Watched, request: Request, response: Response
) -> v2.Job:
    """Show how a job stands; with `Prefer: wait=5`, once it is finished, or after that many seconds.

    It waits for 8 seconds at most; `Preference-Applied` says for how many it would have.
    """
    job = await _found(storage, job_id)
    wanted_s = preferred_wait_s(request.headers)
    if wanted_s is not None:
        wait_s = min(wanted_s, MAX_WAIT_S)
        response.headers[PREFERENCE_APPLIED] = f"wait={wait_s}"
        if job.is_at_work:
            await watch.until_finished(job_id, _as_far_as_allowed(wait_s))
            job = await _found(storage, job_id)
    return _told(job, response)


@router.post(
    "/jobs/{job_id}/cancel", response_model_exclude_none=True, responses=answers(404, 409, 503)
)
async def cancel(job_id: UUID, storage: Stored, context: Context, response: Response) -> v2.Job:
    """Cancel a job that is not finished. Asking again changes nothing."""
    try:
        async with storage.work(context) as work:
            job = await jobs.cancel(work.connection, job_id)
    except jobs.JobFinishedError as error:
        raise ProblemError(409, str(error), kind=JOB_FINISHED) from None
    if job is None:
        raise not_found(job_id)
    return _told(job, response)


def path_of(job_id: UUID) -> str:
    return f"{V2.prefix}/jobs/{job_id}"


def not_found(job_id: UUID) -> ProblemError:
    return ProblemError(404, f"there is no job {job_id}, or none any more", kind=JOB_NOT_FOUND)


def to_asked(report: v2.MakeReport) -> Asked:
    return Asked(
        first_day=report.from_,
        days=(report.to - report.from_).days,
        format=report.format,
        currencies=tuple(dict.fromkeys(report.currencies)),
        skus=tuple(dict.fromkeys(report.skus)),
    )


def to_resource(job: Job) -> v2.Job:
    return v2.Job.model_validate(
        {
            "job_id": job.job_id,
            "status": job.shown_status,
            "progress": v2.Progress(done=job.done, total=job.total),
            "created_at": job.created_at,
            "started_at": job.started_at,
            "finished_at": job.finished_at,
            "result": _result_of(job),
            "problem": _problem_of(job),
        }
    )


def _result_of(job: Job) -> v2.Result | None:
    if job.shown_status != "done" or not (job.media_type and job.expires_at):
        return None
    return v2.Result(
        url=f"{path_of(job.job_id)}/result",
        media_type=job.media_type,
        bytes=job.bytes or 0,
        expires_at=job.expires_at,
    )


def _problem_of(job: Job) -> Problem | None:
    if job.reason is None:
        return None
    return Problem(
        type=JOB_FAILED.uri, title=JOB_FAILED.title, status=STATUS_OF_FAILURE, detail=job.reason
    )


def _told(job: Job, response: Response) -> v2.Job:
    if job.is_at_work:
        response.headers["retry-after"] = str(LOOK_AGAIN_S)
    return to_resource(job)


def _as_far_as_allowed(wait_s: float) -> float:
    deadline = current_deadline()
    return wait_s if deadline is None else max(0.0, min(wait_s, deadline.remaining_s() - KEPT_S))


async def _found(storage: Storage, job_id: UUID) -> Job:
    async with storage.connection() as connection:
        job = await jobs.find(connection, job_id)
    if job is None:
        raise not_found(job_id)
    return job
