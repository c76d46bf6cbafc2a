"""The commands that list and drop the sandboxes of replays."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from infra.cli.common import Command, examples
from infra.cli.output import json_option, tell
from infra.cli.values import SANDBOX
from infra.deployment.current import load_deployment
from infra.operations.replay import sandbox
from infra.tables import table
from infra.text import MEGABYTE, age, counted


@click.command(cls=Command)
@json_option
def sandboxes() -> None:
    """List the sandboxes of replays: those at work, those kept, and those left behind by a replay that was killed."""
    found = sandbox.sandboxes(load_deployment())
    now = datetime.now(UTC)
    headings = ("sandbox", "consumer", "state", "made", "by", "pid", "MB")
    rows = (
        (
            *(each.info.name, each.info.consumer, each.state.replace("_", " ")),
            *(age(each.info.made_at, now), each.info.made_by, str(each.info.pid)),
            f"{each.size_bytes / MEGABYTE:,.0f}",
        )
        for each in found
    )
    shown = table(headings, rows, right=("MB",), wrap=("state", "made"))
    tell(found, [shown if found else "There are no sandboxes."])


@click.command(cls=Command)
@click.argument("names", nargs=-1, type=SANDBOX, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="All in which no replay is at work.")
@examples(
    "tailrace replay drop replay_analytics_20261123_100000_1f3c", "tailrace replay drop --all"
)
@json_option
def drop(*, names: Sequence[str], everything: bool) -> None:
    """Drop sandboxes, with all that is in them."""
    dropped = sandbox.drop_sandboxes(load_deployment(), *names, everything=everything)
    told = f"{counted(dropped, 'sandbox' if dropped == 1 else 'sandboxe')} dropped."
    tell({"dropped": dropped}, [told])
