"""The command that changes by how many connectors databases are captured: `connector reshard`."""

import click

from infra.cli.common import Command, confirm, examples, yes_option
from infra.cli.output import json_option, step, tell
from infra.cli.progress import terminal_report
from infra.deployment.current import is_local, load_deployment, local_stack
from infra.sharding.reshard import Change, reshard

QUESTION = "Nobody can write to outboxes for a moment, and some keys come to Kafka some seconds late. Go on?"
AFTERWARDS = (
    "Start retention, the exporter of metrics and the console anew, so that they know of it."
)


@click.command(cls=Command)
@yes_option
@json_option
@examples("TAILRACE_SHARDS=main=2 tailrace connector reshard --yes")
def command(*, yes: bool) -> None:
    """Have each database captured by as many connectors as the setting `shards` says, while everything runs.

    Rows of a key all go by one connector, before the change and after it, and those of before are in Kafka before any
    of after: nothing is lost, repeated or reordered. May be interrupted, and run again, at any time.
    """
    confirm(QUESTION, yes=yes)

    if is_local():
        from infra.local.reshard import reshard_stack

        with terminal_report() as report:
            done = reshard_stack(local_stack(), step, report)
    else:
        done = reshard(load_deployment(), step)
    lines = [_told(each) for each in done] or ["Nothing to change: all is as the settings say."]
    tell(done, lines if is_local() or not done else [*lines, AFTERWARDS])


def _told(change: Change) -> str:
    return f"{change.capture}: {change.before} connectors before, {change.after} now, in {change.seconds:.1f} s"
