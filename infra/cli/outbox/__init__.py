"""The commands `tailrace outbox`: the group; the commands stand beside this module."""

import click

from infra.cli.lazy import LazyGroup

# name -> where the command lives, and its line in `tailrace outbox --help`
COMMANDS = {
    "stats": ("infra.cli.outbox.stats:stats", "Show how much each outbox holds, and for how long."),
    "prune": ("infra.cli.outbox.prune:prune", "Drop days of messages that are published and old."),
    "backfill": (
        "infra.cli.outbox.backfill:backfill",
        "Publish rows that connector or relay has passed over.",
    ),
    "canary": (
        "infra.cli.outbox.canary:canary",
        "Send a message through, and see how long it takes.",
    ),
    "verify": ("infra.cli.outbox.verify:verify", "Prove that rows, logs and Kafka agree."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def outbox() -> None:
    """Look after the outboxes: what they hold, what may go, and whether rows and events agree.

    Events are kept for good. Messages that are no events, such as commands and replies, are kept for some days.
    """
