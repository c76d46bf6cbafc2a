"""Reports in the REST contract, and the jobs that make them, one module for each version."""

from schemas.rest.api import Api
from schemas.rest.problem import ProblemType
from schemas.rest.versions import Version

V2 = Version(2)
JOB_NOT_FOUND = ProblemType("job-not-found", "No such job")
JOB_FINISHED = ProblemType("job-finished", "The job can no longer be cancelled")
JOB_FAILED = ProblemType("job-failed", "The job could not be done")
NO_RESULT = ProblemType("no-result", "The job has no result")
RESULT_EXPIRED = ProblemType("result-expired", "The result was kept for its time, and is gone")
API = Api(
    "reports",
    versions=(V2,),
    problems=(JOB_NOT_FOUND, JOB_FINISHED, JOB_FAILED, NO_RESULT, RESULT_EXPIRED),
)
