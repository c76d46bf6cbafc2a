"""What all commands share: the consoles, the `--json` option, sizes and times as words."""

import json
import sys
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from cdc.text import printable
from infra.cli.screen import Screen

json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON, for machines."
)


class PlainConsole(Console):
    """Shows texts as they are: nothing in them is markup, an emoji or a control sequence."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return text for the console; `Text` says what is to have a style."""
        plain = "\n".join(map(printable, text.split("\n")))
        return super().render_str(plain, **options | {"markup": False, "emoji": False})


def console(*, stderr: bool = False) -> Console:
    """Return a console that neither wraps nor colours what goes into a file or a pipe."""
    stream = sys.stderr if stderr else sys.stdout
    # It tells its own escape sequences from those of others better than the screen could.
    behind = stream.stream if isinstance(stream, Screen) else None
    made = PlainConsole(stderr=stderr, file=behind, highlight=False)
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
