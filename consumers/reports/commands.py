"""What reports does about the command to work on a job."""

from schemas.messages.reports import MakeReport
from tailrace import Work, handles, load_queries

QUERIES = load_queries(__package__)


@handles(MakeReport)
async def accept(command: MakeReport, work: Work) -> None:
    """Let the job be taken up. A report takes longer than the transaction of a batch may, so it is not made here.

    Raises:
        LookupError: the job cannot be seen. A command can come before others see what its transaction has written, and
            is tried again then.
    """
    known = await work.connection.execute(QUERIES["accept"], {"job_id": command.job_id})
    if not known.rowcount:
        raise LookupError(f"there is no job {command.job_id}, or not yet")
