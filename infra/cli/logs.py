"""The command that shows the log of one part."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from infra.cli.values import whole
from infra.deployment.current import local_stack
from infra.errors import TailraceError
from infra.local.aot import NAME as AOT_TRAINING
from infra.local.parts import PART_NAMES, SHARED
from infra.local.programs import program_of
from infra.local.supervision.client import tail
from infra.local.supervision.conf import log_path

FOLLOW_INTERVAL_S = 0.2
SEARCHED_LINES = 100_000
"""Lines at the end of a log that several write to, among which those of one are looked for."""


@click.command()
@click.argument("service", type=click.Choice([*PART_NAMES, SHARED, AOT_TRAINING, "supervisord"]))
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("-n", "--lines", default=50, show_default=True, type=whole(1, 1_000_000))
def logs(service: str, *, follow: bool, lines: int) -> None:
    """Show the last lines of a part's log.

    Of a process that several parts share, those that the part itself has written; `workers` shows all.
    """
    settings = local_stack()
    program = program_of(service, settings)
    path = log_path(settings.home, program)
    if not path.is_file():
        raise TailraceError(f"There is no log of {service} yet: run `make up` first.")
    is_alone = program == service
    concerns: Callable[[str], bool] = _everything if is_alone else lines_of(service)
    last = [line for line in tail(path, lines if is_alone else SEARCHED_LINES) if concerns(line)]
    for line in last[-lines:]:
        click.echo(line)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for line in _follow(path):
                if concerns(line):
                    click.echo(line, nl=False)


def lines_of(service: str) -> Callable[[str], bool]:
    """Return what tells whether a line was written by a service; it is asked of all lines of a log in their order."""
    mark, is_its = f" service={service} ", False

    def concerns(line: str) -> bool:
        nonlocal is_its
        if line.startswith("time="):  # the lines of a traceback follow the one that they belong to
            is_its = mark in line
        return is_its

    return concerns


def _everything(_line: str) -> bool:
    return True


def _follow(path: Path) -> Iterator[str]:
    """Yield the lines that are appended; supervisord starts a new file when one has grown too long."""
    pause = threading.Event()
    file = path.open(errors="replace")
    file.seek(0, os.SEEK_END)
    begun = ""
    try:
        while True:
            if text := file.readline():
                begun += text
                if begun.endswith("\n"):
                    yield begun
                    begun = ""
            elif path.is_file() and not os.path.samestat(path.stat(), os.fstat(file.fileno())):
                file.close()
                file = path.open(errors="replace")
            else:
                pause.wait(FOLLOW_INTERVAL_S)
    finally:
        file.close()
