"""The commands about metrics: `metrics serve`, `metrics show`, `metrics configuration`."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click

from infra.cli.common import Function, Group, examples
from infra.cli.values import DIRECTORY, whole
from infra.deployment.current import is_local, load_deployment, local_stack
from infra.metrics.server import CANARY_EVERY_S, CHECKS_EVERY_S, PARTS_EVERY_S, Exported

PORT = 18089
PATIENCE_S = 20.0
"""How long a person waits for sources that have to be opened first, on a machine that may be busy."""

port_option = click.option(
    "--port",
    type=whole(maximum=65_535),
    help=f"Where the exporter listens; by default as the local stack's settings say, elsewhere {PORT}.",
)


def every(what: str, seconds: float, done: str) -> Callable[[Function], Function]:
    return click.option(
        f"--{what}-every",
        type=whole(),
        default=int(seconds),
        show_default=True,
        metavar="SECONDS",
        help=f"How often {done} while metrics are asked for.",
    )


@click.group(cls=Group)
def metrics() -> None:
    """Tell Prometheus how an installation is: metrics, alerts and dashboards."""


@metrics.command()
@port_option
@every("parts", PARTS_EVERY_S, "every part is asked")
@every("canary", CANARY_EVERY_S, "a canary is sent")
@every("checks", CHECKS_EVERY_S, "the doctor's checks are made")
@examples("tailrace --deployment production.toml metrics serve", "tailrace metrics serve --port 0")
def serve(*, port: int | None, parts_every: int, canary_every: int, checks_every: int) -> None:
    """Serve the metrics of an installation to this machine, until Ctrl-C.

    `/metrics` is for Prometheus to scrape, `/targets` tells it where services and workers tell their own. `make up` has
    this of the local stack running already.
    """
    from cdc import logs
    from infra.metrics.server import run

    logs.configure("metrics")
    exported = Exported(
        deployment=load_deployment(),
        local=local_stack() if is_local() else None,
        parts_every_s=parts_every,
        canary_every_s=canary_every,
        checks_every_s=checks_every,
    )
    _leave(run(exported, _port(port)))


@metrics.command()
@examples("tailrace metrics show", "tailrace metrics show | grep tailrace_consumer_lag_seconds")
def show() -> None:
    """Print the metrics of an installation once, as they are scraped; without a canary and without checks."""
    import asyncio

    from infra.metrics.gathering import Gatherer
    from infra.metrics.server import sources_of

    exported = Exported(deployment=load_deployment(), local=local_stack() if is_local() else None)
    click.echo(asyncio.run(Gatherer(sources_of(exported)).gather(PATIENCE_S)), nl=False)
    _leave(0)


@metrics.command()
@click.argument("directory", type=DIRECTORY)
@port_option
@examples("tailrace metrics configuration build/observability")
def configuration(*, directory: Path, port: int | None) -> None:
    """Write the configuration of Prometheus, its rules, and dashboards of Grafana.

    They are those of `infra/observability`, for an exporter that listens on another port.
    """
    from infra.observability import write

    for path in write(directory, _port(port)):
        click.echo(path)


def _leave(code: int) -> NoReturn:
    """End although a thread may still wait for a server that stands still."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _port(port: int | None) -> int:
    if port is not None:
        return port
    return local_stack().metrics_port if is_local() else PORT
