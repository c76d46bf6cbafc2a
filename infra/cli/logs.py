"""The command that shows the log of one part."""

import contextlib
from typing import TYPE_CHECKING

import click

from infra.cli.common import Command
from infra.cli.values import whole
from infra.compose.addresses import PREPARING
from infra.deployment.current import own_stack
from infra.local.aot import NAME as AOT_TRAINING
from infra.local.logs import PartLog
from infra.local.parts import PART_NAMES, SHARED
from infra.settings import Settings

if TYPE_CHECKING:
    from infra.compose.logs import ContainerLog


@click.command(cls=Command)
@click.argument(
    "service", type=click.Choice([*PART_NAMES, SHARED, *PREPARING, AOT_TRAINING, "supervisord"])
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("-n", "--lines", default=50, show_default=True, type=whole(1, 1_000_000))
def logs(service: str, *, follow: bool, lines: int) -> None:
    """Show the last lines of a part's log.

    Of a process that several parts share, those that the part itself has written; `workers` shows all.
    """
    log = _log_of(own_stack(), service)
    for line in log.last(lines):
        click.echo(line)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for text in log.follow():
                click.echo(text, nl=False)


def _log_of(settings: Settings, service: str) -> "PartLog | ContainerLog":
    if settings.in_containers:
        from infra.compose.logs import ContainerLog

        return ContainerLog(settings, service)
    return PartLog(settings, service)
