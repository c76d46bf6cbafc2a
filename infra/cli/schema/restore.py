"""The command that puts lost ids back into the schema registry: `schema restore`."""

import click

from infra.cli.mended import tell_mended
from infra.cli.output import json_option
from infra.drift.registry import id_differences, restore_ids
from infra.settings import load_settings


@click.command()
@json_option
@click.pass_context
def restore(context: click.Context, *, as_json: bool) -> None:
    """Put schemas back into the local registry under the ids by which messages name them.

    Known are the ids that a process of this installation has written or read; subject and version are those of the log
    of publications. A schema that was published again meanwhile has both ids then. Ends with 1 if an id is left that
    the registry has given to another schema.
    """
    settings = load_settings()
    done = restore_ids(settings)
    left = id_differences(settings)
    tell_mended(done, left, as_json=as_json)
    context.exit(1 if left else 0)
