"""What jobs have made, to be fetched: a file in its own media type, whatever version of the API is spoken."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from producers.reports import jobs
from producers.reports.jobs import Job
from producers.reports.v2 import not_found
from producers.rest.access.routes import route_of
from producers.rest.conditional import has_it, require_wanted
from producers.rest.problems import ProblemError, answers
from producers.rest.storage import Stored
from schemas.rest.reports import API, JOB_FAILED, NO_RESULT, RESULT_EXPIRED, V2

router = APIRouter(prefix=V2.prefix, route_class=route_of(API))

_FILE: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_CSV = (
    "day,currency,sku,orders_placed,orders_confirmed,orders_cancelled,cancelled_by_reason,revenue,"
    'refunds\r\n2026-11-28,EUR,,12,10,2,"{""payment_declined"": 2}",320.7000,0.0000\r\n'
)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {"Accept-Ranges": {}, "Content-Disposition": {}},
        "content": {"text/csv": _FILE | {"example": _CSV}, "application/vnd.apache.parquet": _FILE},
    },
}


@router.get(
    "/jobs/{job_id}/result",
    response_class=Response,
    responses=_ANSWERS | answers(404, 409, 410, 503),
)
async def fetch(job_id: UUID, storage: Stored, request: Request) -> Response:
    """Fetch what a job has made."""
    async with storage.connection() as connection:
        job = await jobs.find(connection, job_id)
    if job is None:
        raise not_found(job_id)
    _require_result(job)
    headers = {
        "etag": f'"{job.digest}"',
        "content-disposition": f'attachment; filename="{name_of(job)}"',
        "x-content-type-options": "nosniff",
    }
    require_wanted(request.headers, headers["etag"])  # before the body is read for nobody
    headers |= {"content-length": str(job.bytes), "accept-ranges": "none"}
    if request.scope["state"]["is_head"] or has_it(request.headers, headers["etag"]):
        return Response(media_type=job.media_type, headers=headers)
    content = jobs.result(storage.pool, job)
    return StreamingResponse(content, media_type=job.media_type, headers=headers)


def name_of(job: Job) -> str:
    """Return what its file is called: by the period, so that two reports lie beside each other."""
    asked = jobs.Asked.from_json(job.request)
    period = f"{asked.first_day}_{asked.day(asked.days - 1)}"
    return f"sales_{period}.{jobs.SUFFIXES[job.media_type or '']}"


def _require_result(job: Job) -> None:
    match job.shown_status:
        case "done":
            return
        case "expired":
            told = f"the result of job {job.job_id} was kept until {job.expires_at}; ask for the report again"
            raise ProblemError(410, told, kind=RESULT_EXPIRED)
        case "failed":
            raise ProblemError(409, f"job {job.job_id} failed: {job.reason}", kind=JOB_FAILED)
        case status:
            told = f"job {job.job_id} is {status} and has no result; look at the job"
            raise ProblemError(409, told, kind=NO_RESULT)
