"""Commands about contexts: moving one to a database of its own."""

import click

from infra.cli.common import Group, confirm, examples, yes_option
from infra.cli.output import json_option, tell
from infra.cli.progress import terminal_report
from infra.deployment import CONTEXTS
from infra.deployment.current import is_local, load_deployment, local_stack
from infra.moving.move import Move, plan

AFTERWARDS = "Start its services anew, by what `tailrace deployment env SERVICE` prints; until then they write nowhere."


@click.group(cls=Group)
def context() -> None:
    """Move a context to a database of its own."""


@context.command()
@click.argument("name", type=click.Choice(CONTEXTS))
@click.option(
    "--drop-old",
    "drop",
    is_flag=True,
    help="Drop the tables that are left behind, once it is proved.",
)
@yes_option
@json_option
@examples(
    "TAILRACE_DATABASES=payments=ledger tailrace context move payments --yes",
    "tailrace context move payments --drop-old",
)
def move(*, name: str, drop: bool, yes: bool) -> None:
    """Move the context NAME to the database that the settings give it, while everything runs.

    It is refused when a message could be lost. Otherwise the new database is captured; the old one is closed to the
    context, and what it has written comes to Kafka; its schema is copied; the new database is opened to it, and its
    services are started anew. Then it is proved that nothing is missing. May be interrupted, and run again, at any
    time. What is left behind in the old database is marked, and never taken for the context again.
    """
    deployment = local_stack().deployment() if is_local() else load_deployment()
    target = deployment.capture_of(name)
    where = "its new database" if target.is_main else target.database.name
    confirm(
        f"{name} can write nowhere for some seconds, and in {where} afterwards. Go on?", yes=yes
    )
    with terminal_report() as report:
        if is_local():
            from infra.local.move import move as move_in_stack

            done = move_in_stack(local_stack(), name, report, drop=drop)
        else:
            work = Move(deployment, plan(deployment, name), lambda _deployment, _capture: "")
            work.run(report)
            done = work.prove(report, drop=drop)
    lines = [
        f"{name} is in {done.target}; it could write nowhere for {done.closed_s:.1f} s."
        if done.closed_s
        else f"{name} is in {done.target}."
    ]
    tell(done, lines if is_local() else [*lines, AFTERWARDS])
