"""The commands `tailrace parked`: the group; the commands stand beside this module."""

import click

from infra.cli.lazy import LazyGroup

# name -> where the command lives, and its line in `tailrace parked --help`
COMMANDS = {
    "list": ("infra.cli.parked.list:list_parked", "Show what is parked, and why."),
    "show": ("infra.cli.parked.show:show", "Show everything about one message."),
    "retry": ("infra.cli.parked.retry:retry", "Have messages tried again, and follow them."),
    "edit": ("infra.cli.parked.edit:edit", "Change what a message says, by its schema."),
    "skip": ("infra.cli.parked.skip:skip", "Take messages out for good; they are kept on record."),
    "history": ("infra.cli.parked.list:history", "Show who did what, and why."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def parked() -> None:
    """Work on the messages that consumers could not digest.

    A message that fails is parked, and later messages of its key wait behind it. It is tried again by itself a few
    times; then it is a dead letter, and waits for somebody to decide: mend the cause and `retry` it, `edit` it, or
    `skip` it. A message is named by its place, topic/partition/offset.
    """
