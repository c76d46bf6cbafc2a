"""The commands `tailrace events`: the group; the commands stand beside this module."""

import click

from infra.cli.lazy import LazyGroup

# name -> where the command lives, and its line in `tailrace events --help`
COMMANDS = {
    "show": ("infra.cli.events.show:show", "Show what happened to one aggregate, and its state."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def events() -> None:
    """Read the event log: what happened to an order or a payment, message by message.

    The log is kept for good, whatever Kafka has forgotten by now.
    """
