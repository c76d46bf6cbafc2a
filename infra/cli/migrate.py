"""The command that applies migrations."""

import click

from infra.cli.output import json_option, print_json
from infra.local.pipeline import migrate as apply_migrations
from infra.local.provision import provision
from infra.settings import load_settings


@click.command()
@json_option
def migrate(*, as_json: bool) -> None:
    """Apply the database migrations of every service; `tailrace up` does this too."""
    settings = load_settings()
    provision(settings)
    applied = apply_migrations(settings)
    if as_json:
        print_json({"applied": applied})
        return
    for revision in applied:
        click.echo(revision)
    if not applied:
        click.echo("Every schema is at its newest revision.")
