"""The command `tailrace schema golden`."""

import json
from pathlib import Path
from typing import Any

import click

from infra.cli.common import Command, examples
from infra.cli.output import json_option, tell
from infra.cli.values import SUBJECT, Existing
from infra.operations.contracts import keep_golden


@click.command(cls=Command)
@click.argument("subject", type=SUBJECT)
@click.option(
    "--value",
    type=Existing(dir_okay=False),
    help="A JSON file with what to write; a sample when there is none.",
)
@json_option
@examples(
    "tailrace schema golden orders.OrderCreated",
    "tailrace schema golden orders.OrderCreated --value order.json",
)
def golden(*, subject: str, value: Path | None) -> None:
    """Keep bytes of SUBJECT as its schema is now, so that a test can tell whether they will be read for good.

    Once for each version of a schema. Nothing is written when there are bytes of this version already.
    """
    path = keep_golden(subject, None if value is None else _json(value))
    lines = [f"{subject} has golden bytes of this version."]
    if path:
        lines = [f"wrote {path}", "`make generate` brings the pages that show them into step."]
    tell({"subject": subject, "file": path}, lines)


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise click.UsageError(f"{file} is no JSON: {error}") from error
