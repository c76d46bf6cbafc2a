"""The commands `tailrace projections`: which there are, and building them anew."""

import click

from infra.cli.common import Group, examples
from infra.cli.output import console, json_option, tell
from infra.cli.progress import working_of
from infra.cli.values import CONSUMER
from infra.deployment.current import load_deployment
from infra.operations import projections as operations
from infra.tables import table
from infra.text import counted


@click.group(cls=Group)
def projections() -> None:
    """Work on projections: tables of which all that they hold follows from messages."""


@projections.command("list")
@json_option
def list_projections() -> None:
    """List the projections that consumers declare."""
    found = operations.projections(load_deployment())
    rows = ((each.consumer, each.table) for each in found)
    tell(found, [table(("consumer", "table"), rows)])


@projections.command()
@click.argument("consumer", type=CONSUMER)
@json_option
@examples("tailrace projections rebuild analytics")
def rebuild(*, consumer: str) -> None:
    """Build the projections of CONSUMER anew from all messages, while its worker goes on.

    They are built beside the live ones, out of the event log and Kafka, up to where the worker stands. At the end the
    worker waits for a moment, and the live rows become the new ones in one transaction. Whoever reads them sees the old
    ones until then. When it fails or is interrupted, nothing has changed.
    """
    with working_of(console(stderr=True), "applied") as show:
        name, rebuilt = operations.rebuild(load_deployment(), consumer, show)
    waited_ms = rebuilt.waited_s * 1000
    lines = [
        f"{each.table}: {counted(each.rows, 'row')} of {counted(rebuilt.messages, 'message')}; "
        f"{each.written:,} written, {each.removed:,} removed, the others were right."
        for each in rebuilt.tables
    ]
    lines.append(
        f"{name} waited {waited_ms:,.0f} ms, while the last "
        f"{counted(rebuilt.handed_over, 'message')} and the rows were written."
    )
    told = {"messages": rebuilt.messages, "handed_over": rebuilt.handed_over}
    times = {"waited_ms": round(waited_ms, 1), "tables": rebuilt.tables}
    tell({"consumer": name} | told | times, lines)
