"""The commands `tailrace flow`: the group; the commands stand beside this module."""

import click

from infra.cli.lazy import LazyGroup

# name -> where the command lives, and its line in `tailrace flow --help`
COMMANDS = {
    "show": (
        "infra.cli.flow.show:show",
        "Show what became of an order, a request or a message.",
    ),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def flow() -> None:
    """Follow what happened across services: which message led to which, who took it, where it waited."""
