"""Commands about the Avro schemas in the registry."""

from dataclasses import asdict

import click

from infra.cli.output import json_option, print_json
from infra.settings import load_settings
from schemas import publish as publishing


@click.group()
def schema() -> None:
    """Publish the schemas of the catalogue."""


@schema.command()
@json_option
def publish(*, as_json: bool) -> None:
    """Register every schema that the registry does not hold yet; a second time changes nothing."""
    entries = publishing.publish(load_settings().registry_url)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    for entry in entries:
        state = "published" if entry.new else "unchanged"
        click.echo(f"{entry.subject}: version {entry.version}, id {entry.schema_id}, {state}")
