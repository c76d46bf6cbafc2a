"""The command that shows every part."""

from collections.abc import Iterator, Sequence

import click
from rich.text import Text

from infra.cli.common import Command
from infra.cli.output import json_option, tell
from infra.deployment.current import own_stack
from infra.local.status import PartStatus
from infra.local.status import status as part_status
from infra.settings import Settings
from infra.tables import table
from infra.text import duration

HEADINGS = ("part", "state", "process", "where", "up for", "restarts", "memory")
COLOURS = {"running": "green", "starting": "yellow", "stopped": "dim"}


@click.command(cls=Command)
@json_option
def status() -> int:
    """Show every part of the stack.

    Ends with 0 if all of them run, with 1 otherwise.
    """
    parts = status_of(own_stack())
    tell(parts, [table(HEADINGS, _rows(parts), right=HEADINGS[-2:], cut=("where",))])
    return 0 if all(part.is_running for part in parts) else 1


def status_of(settings: Settings, *, memory: bool = True) -> Sequence[PartStatus]:
    """Look at every part of the stack, of processes or containers; of the latter the memory is not measured."""
    if settings.in_containers:
        from infra.compose.status import status as container_status

        return container_status(settings)
    return part_status(settings, memory=memory)


def _rows(parts: Sequence[PartStatus]) -> Iterator[tuple[str | Text, ...]]:
    for part in parts:
        yield (
            part.name,
            Text(part.state, COLOURS.get(part.state, "red")),
            _process(part),
            part.url or "",
            duration(part.uptime_s),
            str(part.restarts or ""),
            f"{part.memory_mb} MB" if part.memory_mb is not None else "",
        )
    if total := sum(part.memory_mb or 0 for part in parts):
        yield ("", "", "", "", "", "", f"{total} MB")


def _process(part: PartStatus) -> str:
    if part.pid is None:
        return ""
    return str(part.pid) if part.program == part.name else f"{part.pid} {part.program}"
