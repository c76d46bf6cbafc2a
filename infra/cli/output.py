"""What all commands share: the consoles, the `--json` option, sizes and times as words."""

import json
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console

json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON, for machines."
)


def console(*, stderr: bool = False) -> Console:
    """Return a console that neither wraps nor colours what goes into a file or a pipe."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made.width = 200
    return made


def print_json(data: object) -> None:
    """Print data as JSON on stdout; dataclasses must be turned into dictionaries before."""
    click.echo(json.dumps(data, indent=2))


def duration(seconds: int | None) -> str:
    """Return e.g. "2 h 05 min", "3 min 10 s" or "" for None."""
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def size(number: int) -> str:
    """Return a number of bytes as e.g. "12 kB" or "1.3 GB"."""
    value = float(number)
    for unit in ("B", "kB", "MB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GB"
