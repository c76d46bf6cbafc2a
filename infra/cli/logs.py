"""The command that shows the log of one part."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from infra.cli.values import whole
from infra.errors import TailraceError
from infra.local.aot import NAME as AOT_TRAINING
from infra.local.parts import PART_NAMES
from infra.local.supervision.client import tail
from infra.local.supervision.conf import log_path
from infra.settings import load_settings

FOLLOW_INTERVAL_S = 0.2


@click.command()
@click.argument("service", type=click.Choice([*PART_NAMES, AOT_TRAINING, "supervisord"]))
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("-n", "--lines", default=50, show_default=True, type=whole(1, 1_000_000))
def logs(service: str, *, follow: bool, lines: int) -> None:
    """Show the last lines of a part's log."""
    path = log_path(load_settings().home, service)
    if not path.is_file():
        raise TailraceError(f"There is no log of {service} yet: run `make up` first.")
    for line in tail(path, lines):
        click.echo(line)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for text in _follow(path):
                click.echo(text, nl=False)


def _follow(path: Path) -> Iterator[str]:
    """Yield what is appended; supervisord starts a new file when one has grown too long."""
    pause = threading.Event()
    file = path.open(errors="replace")
    file.seek(0, os.SEEK_END)
    try:
        while True:
            if text := file.read():
                yield text
            elif path.is_file() and not os.path.samestat(path.stat(), os.fstat(file.fileno())):
                file.close()
                file = path.open(errors="replace")
            else:
                pause.wait(FOLLOW_INTERVAL_S)
    finally:
        file.close()
