"""How all commands print: the consoles, and results as JSON behind the option `--json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any, Literal

import click
from rich.console import Console, RenderableType
from rich.text import Text

from cdc.text import printable
from infra.cli.screen import Screen, takes_colour

JSON = "infra.cli.output.json"
"""Under this the context of a command holds whether it was given `--json`."""
json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=lambda context, _, given: context.meta.update({JSON: given}),
    help="Print the result as JSON, for machines.",
)


def wants_json() -> bool:
    """Tell whether the command that runs was given `--json`; click knows it in the thread of that command alone."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(JSON, False)


class PlainConsole(Console):
    """Shows texts as they are: nothing in them is markup, an emoji or a control sequence, and no line is cut."""

    def render_str(self, text: str, **options: Any) -> Text:
        plain = "\n".join(map(printable, text.split("\n")))
        return super().render_str(plain, **options | {"markup": False, "emoji": False})

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*objects, **{"crop": False} | options)


def console(*, stderr: bool = False) -> Console:
    """Return a console that neither wraps nor colours what goes into a file or a pipe."""
    stream = sys.stderr if stderr else sys.stdout
    # It tells its own escape sequences from those of others better than the screen could.
    behind = stream.stream if isinstance(stream, Screen) else None
    colours: Literal["auto"] | None = "auto" if takes_colour(stream) else None
    made = PlainConsole(stderr=stderr, file=behind, highlight=False, color_system=colours)
    if not made.is_terminal:
        made.width = 200
    return made


def emit(result: object) -> None:
    click.echo(json.dumps(as_data(result), indent=2))


def tell(result: object, shown: Iterable[RenderableType] | Callable[[], object]) -> None:
    """Print a result as JSON if that is wanted, or what tells of it: lines and tables, or a function that prints."""
    if wants_json():
        emit(result)
    elif callable(shown):
        shown()
    else:
        for each in shown:
            if isinstance(each, str):
                click.echo(each)
            else:
                console().print(each)


def step(line: str) -> None:
    """Print a step of the work under way, unless standard output is for JSON."""
    if not wants_json():
        click.echo(f"  {line}")


def as_data(value: Any) -> Any:
    """Return a value as JSON holds it: dataclasses by their fields, moments in ISO 8601, ids and the like as text.

    A class whose JSON is something else than its fields says so with a method `as_json`.
    """
    if hasattr(value, "as_json"):
        return as_data(value.as_json())
    if is_dataclass(value):
        return {each.name: as_data(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_data(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
