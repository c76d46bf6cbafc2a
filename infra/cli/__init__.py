"""The command `tailrace`: a group whose subcommands are imported only when they are called."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from cdc.text import printable
from infra.cli.interrupt import forget_interrupt, reraise_lost_interrupts
from infra.cli.lazy import LazyGroup
from infra.cli.screen import screened
from infra.cli.values import Existing
from infra.errors import explain

# name -> where the command lives, and its line in `tailrace --help`. A new command is a line here.
COMMANDS = {
    "up": ("infra.cli.stack:up", "Start the whole stack; repairs what is missing."),
    "down": ("infra.cli.stack:down", "Stop it; the data stay."),
    "reset": ("infra.cli.stack:reset", "Stop it and delete its data, after asking."),
    "restart": ("infra.cli.stack:restart", "Restart one part."),
    "status": ("infra.cli.status:status", "Show every part: state, pid, url, memory."),
    "logs": ("infra.cli.logs:logs", "Show or follow the log of one part."),
    "demo": ("infra.cli.demo:demo", "Send orders over HTTP and follow each to its end."),
    "doctor": (
        "infra.cli.doctor:doctor",
        "Check everything; say what is wrong and how to mend it.",
    ),
    "parked": ("infra.cli.parked:parked", "Work on messages that could not be digested."),
    "saga": ("infra.cli.sagas:saga", "See sagas, and see to those that need somebody."),
    "replay": ("infra.cli.replay:replay", "Hand out again what was sent before, and compare."),
    "projections": (
        "infra.cli.projections:projections",
        "Build anew what consumers have made of messages.",
    ),
    "lag": ("infra.cli.lag:lag", "Show how far each consumer is behind."),
    "flow": ("infra.cli.flow:flow", "Show which message led to which, and where each waited."),
    "events": ("infra.cli.events:events", "Show what happened to one order or payment."),
    "outbox": ("infra.cli.outbox:outbox", "Look after the outboxes: stats, prune, verify."),
    "topics": ("infra.cli.topics:topics", "Show topics, and the records in them."),
    "console": (
        "infra.cli.console:console",
        "Serve pages that show an installation, on this machine.",
    ),
    "metrics": (
        "infra.cli.metrics:metrics",
        "Tell Prometheus how an installation is: metrics, alerts, dashboards.",
    ),
    "connector": ("infra.cli.connector:connector", "Apply, show, restart the connector."),
    "postgres": (
        "infra.cli.postgres:postgres",
        "Show the standby of a cluster; have it take over.",
    ),
    "relay": ("infra.cli.relay:relay", "Show the relay, which publishes without Debezium."),
    "schema": ("infra.cli.schema:schema", "Check, compare and publish contracts."),
    "new": ("infra.cli.new:new", "Begin a context: a consumer, its tables, events and a test."),
    "context": (
        "infra.cli.context:context",
        "Move a context to a database of its own.",
    ),
    "deployment": (
        "infra.cli.deployment:deployment",
        "Show where commands work, and what services are told.",
    ),
    "size": ("infra.cli.size:size", "Say how large an installation has to be for a load."),
    "keys": ("infra.cli.keys:keys", "Give out API keys, list them, take them back."),
    "migrate": ("infra.cli.migrate:migrate", "Apply the database migrations of every service."),
}


@click.group(
    cls=LazyGroup, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--deployment",
    type=Existing(dir_okay=False, resolve_path=True),
    help="Work on the deployment that a file describes, instead of the local stack; also $TAILRACE_DEPLOYMENT.",
)
@click.version_option(package_name="tailrace")
def cli(*, deployment: Path | None) -> None:
    """Change your database and tell everyone else about it.

    Ends with 0 when done, 1 on a finding or failure, 2 on wrong usage.
    """
    if deployment is not None:
        # where processes that we start find it, too
        os.environ["TAILRACE_DEPLOYMENT"] = str(deployment)


def _run() -> Any:
    """Run the command line; wrong usage is explained here, where what it quotes passes the screen."""
    try:
        # the screen drops colours, except on a terminal
        return cli.main(standalone_mode=False, color=True)
    except click.ClickException as error:
        error.show()
        return error.exit_code


def main() -> None:
    """Run the command line; a failure the user can mend is one sentence on stderr."""
    try:
        with reraise_lost_interrupts(), screened():
            result = _run()
    except (click.Abort, KeyboardInterrupt):
        forget_interrupt()
        sys.exit("Interrupted.")
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        told = f"tailrace: {printable(sentence)}"
        if (code := getattr(error, "exit_code", 1)) == 1:
            sys.exit(told)
        click.echo(told, err=True)
        sys.exit(code)
    sys.exit(result if isinstance(result, int) else 0)
