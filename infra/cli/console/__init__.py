"""The commands `tailrace console`: the group, which serves a console when no subcommand is called."""

from pathlib import Path

import click

from infra.cli.common import examples, who_option
from infra.cli.lazy import LazyGroup
from infra.cli.values import TEXT, Existing, whole
from infra.deployment.current import is_local, load_deployment, local_stack

PORT = 18088
FILE = Existing(dir_okay=False)

# name -> where the command lives, and its line in `tailrace console --help`
COMMANDS = {
    "add-user": ("infra.cli.console.users:add_user", "Let somebody sign in, to look or to act."),
    "remove-user": ("infra.cli.console.users:remove_user", "Let somebody sign in no more."),
}


@click.group(cls=LazyGroup, commands=COMMANDS, invoke_without_command=True)
@click.option(
    "--port",
    type=whole(maximum=65_535),
    default=PORT,
    show_default=True,
    help="Where to listen.",
)
@click.option("--look", is_flag=True, help="Leave out what can be done, and refuse it.")
@click.option(
    "--users",
    type=FILE,
    help="Have people sign in: those of this file, which `tailrace console add-user` makes.",
)
@click.option(
    "--host",
    type=TEXT,
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at; one that others can reach takes --users, --name and TLS.",
)
@click.option(
    "--name",
    "names",
    type=TEXT,
    multiple=True,
    help="By which it is asked from elsewhere, such as console.example.com; with its port unless that is 443.",
)
@click.option("--tls-certificate", "certificate", type=FILE, help="Certificate chain, as PEM.")
@click.option("--tls-key", "key", type=FILE, help="Its key, as PEM.")
@click.option(
    "--behind-proxy",
    "is_behind_proxy",
    is_flag=True,
    help="Something in front of it speaks TLS with browsers, and hands the Host header on.",
)
@who_option
@click.pass_context
@examples(
    "tailrace --deployment production.toml console --look",
    "tailrace console --port 18089",
    "tailrace console --users users.toml --name console.example.com --behind-proxy",
)
def console(  # noqa: PLR0913 - one for each option
    context: click.Context,
    *,
    port: int,
    look: bool,
    users: Path | None,
    host: str,
    names: tuple[str, ...],
    certificate: Path | None,
    key: Path | None,
    is_behind_proxy: bool,
    who: str,
) -> int | None:
    """Serve pages that show an installation, and what can be done about it, until Ctrl-C.

    They are served to this machine alone unless it is told otherwise. There nobody is asked who they are: what is done
    is noted as done by --who, or by whom a form names. With --users, it is noted as done by who has signed in. `make
    up` has a console of the local stack running already.
    """
    if context.invoked_subcommand is not None:
        return None
    from cdc import logs
    from infra.console.installation import Installation
    from infra.console.listening import Listening
    from infra.console.server import run

    if (certificate is None) != (key is None):
        raise click.UsageError("--tls-certificate and --tls-key go together.")
    listening = Listening(
        host=host,
        port=port,
        names=names,
        users=users,
        certificate=(certificate, key) if certificate and key else None,
        is_behind_proxy=is_behind_proxy,
    )
    logs.configure("console")
    installation = Installation(
        deployment=load_deployment(),
        local=local_stack() if is_local() else None,
        mode="look" if look else "act",
        actor=who,
    )
    return run(installation, listening)
