"""The command that shows every part."""

from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from infra.cli.output import console, duration, json_option, print_json
from infra.local.status import PartStatus
from infra.local.status import status as part_status
from infra.settings import load_settings

COLOURS = {"running": "green", "starting": "yellow", "stopped": "dim"}


@click.command()
@json_option
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Show every part of the stack.

    Ends with 0 if all of them run, with 1 otherwise.
    """
    parts = part_status(load_settings())
    if as_json:
        print_json([asdict(part) for part in parts])
    else:
        console().print(_table(parts))
    context.exit(0 if all(part.is_running for part in parts) else 1)


def _table(parts: Sequence[PartStatus]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("part", "state", "pid", "where", "up for"):
        table.add_column(heading, no_wrap=True)
    for heading in ("restarts", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for part in parts:
        table.add_row(
            part.name,
            Text(part.state, COLOURS.get(part.state, "red")),
            str(part.pid or ""),
            part.url or "",
            duration(part.uptime_s),
            str(part.restarts or ""),
            f"{part.memory_mb} MB" if part.memory_mb is not None else "",
        )
    if total := sum(part.memory_mb or 0 for part in parts):
        table.add_row("", "", "", "", "", "", f"{total} MB")
    return table
