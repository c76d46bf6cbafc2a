"""The commands about the deployment itself: `deployment show` and `deployment env`."""

import click

from infra.cli.common import Group, examples
from infra.cli.output import json_option, tell
from infra.cli.values import Parsed
from infra.deployment.current import load_deployment
from infra.errors import TailraceError
from infra.operations import deployment as operations
from infra.services import SERVICES
from infra.tables import table


@click.group(cls=Group)
def deployment() -> None:
    """Show where commands work, and what a service is told wherever it runs."""


@deployment.command()
@json_option
@examples("tailrace deployment show", "tailrace --deployment deployment.toml deployment show")
def show() -> None:
    """Show the addresses that commands work on, and where the files with credentials are."""
    found = operations.describe(load_deployment())
    rows = [
        ("said by", found.source or "the settings of the local stack"),
        ("kafka", found.kafka),
        ("registry", found.registry),
        ("connect", found.connect or "not told"),
        ("database", found.database),
        *((f"database {name}", where) for name, where in found.databases.items()),
        ("password files", str(found.password_files)),
        *((name, url or "not told") for name, url in found.services.items()),
        ("state", str(found.state)),
    ]
    tell(found, [table(("what", "where"), rows, wrap=("what", "where"))])


@deployment.command()
@click.argument("service", type=click.Choice([each.name for each in SERVICES]))
@json_option
@examples(
    "tailrace deployment env orders",
    "tailrace --deployment deployment.toml deployment env payments-worker --json",
)
def env(*, service: str) -> None:
    """Print the variables that SERVICE is started with, a line each, as containers and units take them."""
    variables = operations.environment(load_deployment(), service)
    tell(variables, (f"{name}={value}" for name, value in variables.items()))


@deployment.command()
@click.argument("where", type=Parsed("SERVICE|URL", operations.require_place, as_text=True))
@json_option
@examples(
    "tailrace deployment instances orders",
    "tailrace deployment instances dns+srv://_http._tcp.orders.default.svc.cluster.local",
)
def instances(*, where: str) -> None:
    """Show the instances that a service has now, by its name or by a URL as services are told."""
    found = operations.instances(load_deployment(), where)
    tell(found, map(str, found))
    if not found:
        raise TailraceError(
            f"There is no instance of {where} now: start one, or see to what tells of them."
        )
