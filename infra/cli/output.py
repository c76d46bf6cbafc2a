"""How all commands print: the consoles, tables, and results as JSON behind the option `--json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.console import Console, RenderableType
from rich.text import Text

from cdc.text import printable
from infra.cli.screen import Screen, takes_colour

if TYPE_CHECKING:
    from infra.tables import FittingTable

json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON, for machines."
)


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


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[RenderableType]],
    *,
    right: Collection[str] = (),
    wrap: Collection[str] = (),
    cut: Collection[str] = (),
) -> FittingTable:
    """Return rows below headings, as `infra.tables` does."""
    from infra import tables  # not needed with --json

    return tables.table(headings, rows, right=right, wrap=wrap, cut=cut)


def emit(result: object) -> None:
    click.echo(json.dumps(as_data(result), indent=2))


def tell(result: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Print a result as JSON, or in the lines that tell of it."""
    if as_json:
        emit(result)
        return
    for line in lines:
        click.echo(line)


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
