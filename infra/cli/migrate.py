"""The command that applies migrations, and brings the database back to what is declared."""

import click

from infra.cli.mended import tell_mended
from infra.cli.output import json_option
from infra.drift.database import database_differences
from infra.local.pipeline import migrate as apply_migrations
from infra.local.provision import provision
from infra.settings import load_settings


@click.command()
@json_option
@click.pass_context
def migrate(context: click.Context, *, as_json: bool) -> None:
    """Apply the migrations of every service, and bring roles, grants, tables and publication back to what is declared.

    `tailrace up` does this too. Ends with 1 if something is left that no command mends.
    """
    settings = load_settings()
    done = provision(settings) + apply_migrations(settings)
    left = database_differences(settings)
    tell_mended(done, left, as_json=as_json)
    context.exit(1 if left else 0)
