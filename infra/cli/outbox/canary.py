"""The command that sends a message through: `outbox canary`."""

import click

from infra.cli.common import Command, examples
from infra.cli.output import json_option, tell
from infra.deployment.current import load_deployment
from infra.pipeline import send_canary


@click.command(cls=Command)
@json_option
@examples("tailrace outbox canary")
def canary() -> None:
    """Send a message through outbox, publisher and Kafka, and show how long it took."""
    seconds = send_canary(load_deployment())
    line = f"A message took {seconds * 1000:.0f} ms from commit to consumer."
    tell({"seconds": seconds}, [line])
