"""What reports does about the command to work on a job."""

from schemas.messages.reports import MakeReport
from tailrace import Work, handles, load_queries

QUERIES = load_queries(__package__)


@handles(MakeReport)
async def accept(command: MakeReport, work: Work) -> None:
    """Let the job be taken up. A report takes longer than the transaction of a batch may, so it is not made here."""
    about = {"job_id": command.job_id}
    accepted = await work.connection.execute(QUERIES["accept"], about)
    if not accepted.rowcount:
        # the command can be here before others see what its transaction has written
        async with work.connection.transaction(force_rollback=True):
            await work.connection.execute(QUERIES["await_asked"], about)
        await work.connection.execute(QUERIES["accept"], about)
