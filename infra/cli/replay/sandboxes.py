"""The commands that list and drop the sandboxes of replays."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.table import Table

from consumers.replay.sandbox import Listed, drop_sandbox, list_sandboxes
from infra.cli.output import console, json_option, print_json
from infra.cli.parked.text import age, counted
from infra.cli.schema.baseline import examples
from infra.cli.values import SANDBOX
from infra.services import OWNER
from infra.settings import load_settings

MEGABYTE = 2**20


@click.command()
@json_option
def sandboxes(*, as_json: bool) -> None:
    """List the sandboxes of replays: those at work, those kept, and those left behind by a replay that was killed."""
    found = list_sandboxes(load_settings().database_url(OWNER))
    if as_json:
        print_json([_as_json(each) for each in found])
    elif not found:
        click.echo("There are no sandboxes.")
    else:
        console().print(_table(found))


@click.command()
@click.argument("names", nargs=-1, type=SANDBOX, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="All in which no replay is at work.")
@examples(
    "tailrace replay drop replay_analytics_20261123_100000_1f3c", "tailrace replay drop --all"
)
def drop(*, names: Sequence[str], everything: bool) -> None:
    """Drop sandboxes, with all that is in them."""
    if bool(names) == everything:
        raise click.UsageError("Say which sandboxes to drop: their names, or --all.")
    url = load_settings().database_url(OWNER)
    if everything:
        names = [each.info.name for each in list_sandboxes(url) if not each.is_in_use]
    for name in names:
        drop_sandbox(url, name)
    click.echo(f"{counted(len(names), 'sandbox' if len(names) == 1 else 'sandboxe')} dropped.")


def _table(found: Sequence[Listed]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("sandbox", "consumer", "state", "made", "by", "pid"):
        table.add_column(heading, no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True)
    now = datetime.now(UTC)
    for each in found:
        info = each.info
        table.add_row(
            *(info.name, info.consumer, _state(each), age(info.made_at, now), info.made_by),
            *(str(info.pid), f"{each.size_bytes / MEGABYTE:,.0f}"),
        )
    return table


def _state(each: Listed) -> str:
    if each.is_in_use:
        return "at work"
    return "kept" if each.info.is_kept else "left behind"


def _as_json(each: Listed) -> dict[str, object]:
    info = each.info
    return {
        "name": info.name,
        "consumer": info.consumer,
        "state": _state(each).replace(" ", "_"),
        "run_id": info.run_id,
        "made_at": info.made_at.isoformat(),
        "made_by": info.made_by,
        "pid": info.pid,
        "size_bytes": each.size_bytes,
    }
