"""Commands about the Debezium connector that carries the outbox to Kafka."""

from dataclasses import asdict

import click

from cdc import connector as debezium
from cdc.causes import redacted
from infra.capture import connector_settings, examine, in_the_way, require_slot, slot
from infra.cli.connector import recover
from infra.cli.connector.text import sentence, slot_data, slot_lines
from infra.cli.mended import data
from infra.cli.output import json_option, print_json
from infra.drift.database import open_database
from infra.drift.publication import publication_differences
from infra.local.pipeline import apply_connector
from infra.local.publishing import require_connector
from infra.settings import load_settings


@click.group()
def connector() -> None:
    """Apply, show, restart the connector; show its state; recover a lost slot."""


connector.add_command(recover.command, "recover")


@connector.command()
@json_option
def apply(*, as_json: bool) -> None:
    """Bring the connector to its configuration and wait until it runs; nothing happens if it already does."""
    done = apply_connector(require_connector(load_settings()))
    if as_json:
        print_json({"connector": debezium.NAME, "result": done})
    else:
        click.echo(f"{debezium.NAME}: {done}, running")


@connector.command()
@click.option(
    "--rendered", is_flag=True, help="What would be applied, instead of what Connect holds."
)
@click.pass_context
def show(context: click.Context, *, rendered: bool) -> None:
    """Print the configuration as JSON; it refers to secrets and holds none."""
    settings = load_settings()
    if rendered:
        print_json(debezium.render(connector_settings(settings)))
        return
    require_connector(settings)
    config = debezium.show(settings.connect_url, debezium.NAME)
    if config is None:
        click.echo(
            f"Connect has no connector {debezium.NAME}; `tailrace connector apply` makes it",
            err=True,
        )
        context.exit(1)
    print_json(config)


@connector.command()
@json_option
def restart(*, as_json: bool) -> None:
    """Restart the connector and its task, and wait until they run."""
    settings = require_connector(load_settings())
    require_slot(settings)
    debezium.restart(settings.connect_url, debezium.NAME)
    debezium.wait_until_running(settings.connect_url, debezium.NAME, timeout_s=60)
    if as_json:
        print_json({"connector": debezium.NAME, "result": "restarted"})
    else:
        click.echo(f"{debezium.NAME}: restarted, running")


@connector.command()
@json_option
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Show the state of the connector, its task and its slot.

    Ends with 1 unless connector and task run, slot and publication are whole, and no row stands in the way.
    """
    settings = require_connector(load_settings())
    state = debezium.status(settings.connect_url, debezium.NAME)
    held, diagnosis = slot(settings), examine(settings)
    obstacles = in_the_way(settings)
    with open_database(settings) as connection:
        differing = publication_differences(connection)
    if as_json:
        print_json(
            asdict(state)
            | {
                "trace": state.trace and redacted(state.trace),
                "cause": state.cause and asdict(state.cause),
                "running": state.is_running,
                "ailment": diagnosis.ailment,
                "obstacles": [asdict(each) | {"first": str(each.first)} for each in obstacles],
                "slot": slot_data(held),
                "differences": [data(each) for each in differing],
            }
        )
    else:
        click.echo(f"{debezium.NAME}: connector {state.connector}, task {state.task}")
        for line in slot_lines(held):
            click.echo(line)
        if diagnosis.ailment:
            click.echo(
                f"{sentence(diagnosis.told)} `tailrace connector recover` mends it.", err=True
            )
        if state.cause:
            click.echo(f"{sentence(str(state.cause))} `--json` has the whole trace.", err=True)
        for each in obstacles:
            click.echo(f"It stands still: {each.told}; {each.remedy}.", err=True)
        for difference in differing:
            click.echo(sentence(f"{difference}; {difference.remedy}"), err=True)
    is_well = state.is_running and not diagnosis.ailment and not obstacles and not differing
    context.exit(0 if is_well else 1)
