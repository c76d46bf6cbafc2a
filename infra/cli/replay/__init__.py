"""The commands `tailrace replay`: the group, which replays when no subcommand is called."""

import gc
from typing import Any

import click

from infra.cli import values
from infra.cli.common import examples, who_option, yes_option
from infra.cli.lazy import LazyGroup
from infra.cli.output import json_option

# name -> where the command lives, and its line in `tailrace replay --help`
COMMANDS = {
    "jobs": ("infra.cli.replay.jobs:jobs", "List the replays that go on by themselves."),
    "stop": ("infra.cli.replay.jobs:stop", "Interrupt one of them."),
    "sandboxes": ("infra.cli.replay.sandboxes:sandboxes", "List the sandboxes that there are."),
    "drop": ("infra.cli.replay.sandboxes:drop", "Drop sandboxes that were kept or left behind."),
}


@click.group(cls=LazyGroup, commands=COMMANDS, invoke_without_command=True)
@click.option(
    "--topic", "topics", type=values.TOPIC, multiple=True, help="Of this topic; may be repeated."
)
@click.option(
    "--from",
    "start",
    type=values.BOUND,
    multiple=True,
    help="From this time on, such as 2026-11-23T10:00 or 2h ago (2h); or from an offset of a partition.",
)
@click.option(
    "--to",
    "end",
    type=values.BOUND,
    multiple=True,
    help="Up to this time or offset, that not included.  [default: now]",
)
@click.option(
    "--key",
    "keys",
    type=values.KEY,
    multiple=True,
    help="Of this key; \\x… for bytes in hexadecimal.",
)
@click.option(
    "--type",
    "types",
    type=values.TEXT,
    multiple=True,
    help="This message, such as orders.OrderCreated.",
)
@click.option("--id", "ids", type=click.UUID, multiple=True, help="Of this message id.")
@click.option(
    "--where",
    "where",
    type=values.CONDITION,
    multiple=True,
    help="That says this: currency=EUR, total>100, lines.0.sku=book-1. All of them must hold.",
)
@click.option(
    "--consumer",
    type=values.CONSUMER,
    help="Whose handlers are called, such as analytics or payments-worker.",
)
@click.option(
    "--into",
    type=click.Choice(["sandbox"]),
    help="Into a throwaway copy of the consumer's tables.  [default]",
)
@click.option(
    "--to-topic",
    type=values.TOPIC,
    help="Publish to this topic instead: bytes and headers as they were, and replayed_from.",
)
@click.option("--create", is_flag=True, help="Make the topic of --to-topic if it is missing.")
@click.option("--live", is_flag=True, help="Redeliver to the live consumer instead, after asking.")
@click.option(
    "--force", is_flag=True, help="With --live: make messages take effect that had been taken."
)
@click.option("--why", type=values.TEXT, help="The reason; it goes on record.")
@who_option
@yes_option
@click.option(
    "--source",
    type=click.Choice(["kafka", "log"]),
    help="Read Kafka, or the event log in Postgres.  [default: the log when Kafka has deleted a part]",
)
@click.option("--dry-run", is_flag=True, help="Only count what would be replayed.")
@click.option(
    "--code",
    type=values.REVISION,
    help="With the handlers of another git revision, to try a change before it ships.",
)
@click.option("--keep", is_flag=True, help="Leave the sandbox to look around in.")
@click.option(
    "--rows",
    type=values.whole(0),
    help="Most rows to list of each table that differs.  [default: 20, with --json 1000]",
)
@click.option(
    "--rate",
    type=values.RATE,
    help="Only so many messages a second.",
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value="last",
    type=values.RUN,
    metavar="[RUN]",
    help="Go on with a replay that was interrupted, the last one or the one named.",
)
@click.option(
    "--background",
    is_flag=True,
    help="Go on in a process of its own; `tailrace replay jobs` and the console show what comes of it.",
)
@click.option(
    "--progress",
    type=values.OUTPUT,
    help="Write into this file how far it is, as JSON.",
)
@json_option
@click.pass_context
@examples(
    "tailrace replay --topic order.events --from 2026-11-23T10:00 --to 2026-11-23T11:00 --consumer analytics",
    "tailrace replay --consumer payments --from 2h --where 'total>100' --keep",
    "tailrace replay --topic order.events --from 3:1200 --to 3:1300 --dry-run",
    "tailrace replay --topic order.events --from 1d --to-topic order.events.copy --create",
    "tailrace replay --consumer analytics --live --id 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968",
    "tailrace replay --resume",
)
def replay(context: click.Context, /, **options: Any) -> int | None:
    """Hand messages that were sent before to handlers once more, and see what comes of it.

    Into a sandbox, unless something else is asked for: the handlers of --consumer run in a throwaway schema, nothing is
    sent and nobody outside is called, and at the end its tables are compared with the live ones. Ends with 0 when they
    are the same, with 1 when they differ or a message could not be handled.
    """
    if context.invoked_subcommand is not None:
        return None
    from infra.cli.replay.start import start

    gc.set_threshold(100_000, 50, 50)  # as in a worker, see consumers.runtime.worker.run
    return start(**options)
