"""The command that applies migrations, and brings the database back to what is declared."""

import click

from infra.cli.common import Command
from infra.cli.mended import tell_mended
from infra.cli.output import json_option
from infra.deployment.current import is_local, load_deployment, local_stack


@click.command(cls=Command)
@json_option
def migrate() -> int:
    """Apply the migrations of every service, and bring roles, grants, tables and publication back to what is declared.

    `tailrace up` does this too. Ends with 1 if something is left that no command mends.
    """
    if is_local():
        from infra.local.migrate import migrate as migrate_stack

        mended = migrate_stack(local_stack())
    else:
        from infra.operations import declared

        mended = declared.migrate(load_deployment())
    return tell_mended(mended)
