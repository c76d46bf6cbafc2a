"""The commands about replays that go on by themselves."""

import click
from rich.console import RenderableType

from infra.cli.common import Command, examples
from infra.cli.output import json_option, tell
from infra.cli.values import RUN
from infra.deployment.current import load_deployment
from infra.operations.replay import jobs as operations
from infra.operations.replay.jobs import Job
from infra.tables import table
from infra.text import local


@click.command(cls=Command)
@click.argument("job_id", metavar="[ID]", type=RUN, required=False)
@json_option
@examples("tailrace replay jobs", "tailrace replay jobs 20261123-100000-1f3c --json")
def jobs(*, job_id: str | None) -> None:
    """List the replays begun with --background or in the console, newest first; that of ID with its result."""
    deployment = load_deployment()
    found = [operations.job(deployment, job_id)] if job_id else operations.jobs(deployment)
    headings = ("replay", "state", "", "begun", "by", "command")
    shown: list[RenderableType] = [table(headings, map(_row, found), wrap=headings[2:])]
    if job_id:
        shown.append(found[0].complaint or f"Its files are in {found[0].kept_at}.")
    tell(found[0] if job_id else found, shown if found else ["There are none."])


def _row(job: Job) -> tuple[str, ...]:
    far = f"{job.done:,} of {job.total:,} {job.doing}" if job.state == "running" else ""
    return (job.job_id, job.state, far, local(job.begun_at), job.who, job.command)


@click.command(cls=Command)
@click.argument("job_id", metavar="ID", type=RUN)
@json_option
@examples("tailrace replay stop 20261123-100000-1f3c")
def stop(*, job_id: str) -> None:
    """Interrupt the replay ID as Ctrl-C would; `tailrace replay --resume` goes on with it."""
    found = operations.stop(load_deployment(), job_id)
    line = "is interrupted" if found.state == "running" else "has ended already"
    tell(found, [f"The replay {job_id} {line}."])
