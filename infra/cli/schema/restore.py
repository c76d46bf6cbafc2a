"""The command that puts lost ids back into the schema registry: `schema restore`."""

import click

from infra.cli.common import Command
from infra.cli.mended import tell_mended
from infra.cli.output import json_option
from infra.deployment.current import load_deployment
from infra.operations.declared import restore_schemas


@click.command(cls=Command)
@json_option
def restore() -> int:
    """Put schemas back into the local registry under the ids by which messages name them.

    Known are the ids that a process of this installation has written or read; subject and version are those of the log
    of publications. A schema that was published again meanwhile has both ids then. Ends with 1 if an id is left that
    the registry has given to another schema.
    """
    return tell_mended(restore_schemas(load_deployment()))
