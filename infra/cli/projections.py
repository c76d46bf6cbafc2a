"""The commands `tailrace projections`: which there are, and building them anew."""

import click

from infra.cli.common import Group, examples
from infra.cli.output import console, emit, json_option, table
from infra.cli.progress import working_of
from infra.cli.values import CONSUMER
from infra.deployment.current import load_deployment
from infra.operations import projections as operations
from infra.text import counted


@click.group(cls=Group)
def projections() -> None:
    """Work on projections: tables of which all that they hold follows from messages."""


@projections.command("list")
@json_option
def list_projections(*, as_json: bool) -> None:
    """List the projections that consumers declare."""
    found = operations.projections(load_deployment())
    if as_json:
        emit(found)
    else:
        rows = ((each.consumer, each.table) for each in found)
        console().print(table(("consumer", "table"), rows))


@projections.command()
@click.argument("consumer", type=CONSUMER)
@json_option
@examples("tailrace projections rebuild analytics")
def rebuild(*, consumer: str, as_json: bool) -> None:
    """Build the projections of CONSUMER anew from all messages, while its worker goes on.

    They are built beside the live ones, out of the event log and Kafka, up to where the worker stands. At the end the
    worker waits for a moment, and the live rows become the new ones in one transaction. Whoever reads them sees the old
    ones until then. When it fails or is interrupted, nothing has changed.
    """
    with working_of(console(stderr=True), "applied", shown=not as_json) as show:
        name, rebuilt = operations.rebuild(load_deployment(), consumer, show)
    if as_json:
        waited_ms = round(rebuilt.waited_s * 1000, 1)
        told = {"messages": rebuilt.messages, "handed_over": rebuilt.handed_over}
        emit({"consumer": name, **told, "waited_ms": waited_ms, "tables": rebuilt.tables})
        return
    for each in rebuilt.tables:
        click.echo(
            f"{each.table}: {counted(each.rows, 'row')} of {counted(rebuilt.messages, 'message')}; "
            f"{each.written:,} written, {each.removed:,} removed, the others were right."
        )
    click.echo(
        f"{name} waited {rebuilt.waited_s * 1000:,.0f} ms, while the last "
        f"{counted(rebuilt.handed_over, 'message')} and the rows were written."
    )
