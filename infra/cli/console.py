"""The command that serves the console of an installation: `console`."""

import click

from infra.cli.common import examples, who_option
from infra.cli.values import whole
from infra.deployment.current import is_local, load_deployment, local_stack

PORT = 18088


@click.command()
@click.option(
    "--port",
    type=whole(maximum=65_535),
    default=PORT,
    show_default=True,
    help="Where to listen.",
)
@click.option("--look", is_flag=True, help="Leave out what can be done, and refuse it.")
@who_option
@click.pass_context
@examples("tailrace --deployment production.toml console --look", "tailrace console --port 18089")
def console(context: click.Context, *, port: int, look: bool, who: str) -> None:
    """Serve pages that show an installation, and what can be done about it, until Ctrl-C.

    They are served to this machine alone, and nobody is asked who they are: what is done is noted as done by --who, or
    by whom a form names. `make up` has a console of the local stack running already.
    """
    from cdc import logs
    from infra.console.installation import Installation
    from infra.console.server import run

    logs.configure("console")
    installation = Installation(
        deployment=load_deployment(),
        local=local_stack() if is_local() else None,
        mode="look" if look else "act",
        actor=who,
    )
    context.exit(run(installation, port))
