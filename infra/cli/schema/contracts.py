"""The commands that look at contracts: `schema list` and `schema show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from infra.cli.common import Command, examples
from infra.cli.output import as_data, console, emit, json_option, tell, wants_json
from infra.cli.schema.baseline import Against, directory_option, findings_only, where
from infra.cli.values import COUNT, SUBJECT
from infra.operations import contracts
from infra.tables import table
from schemas.gate import tree
from schemas.gate.sources import MalformedFileError, document


@click.command("list", cls=Command)
@click.option("--registry", is_flag=True, help="Also show what the registry holds.")
@directory_option
@json_option
@examples(
    "tailrace schema list",
    "tailrace schema list --registry",
)
@findings_only()
def list_messages(*, registry: bool, directory: Path) -> None:
    """Show every message: topic, owner, promise, and whether it changed since main."""
    try:
        found = contracts.list_messages(where, directory, registry=registry)
    except MalformedFileError as error:
        raise click.ClickException(f"{tree.CATALOGUE} is malformed: {error}. Mend it.") from error
    if found.unknown_because:
        click.echo(f"Whether they changed is unknown: {found.unknown_because}.", err=True)
    rows = [as_data(each) for each in found.messages]
    if not registry:
        for row in rows:
            del row["version"], row["id"]
    headings = list(rows[0]) if rows else []
    cells = (["-" if value is None else str(value) for value in row.values()] for row in rows)
    tell(rows, [table(headings, cells, wrap=headings)])


@click.command(cls=Command)
@click.argument("subject", type=SUBJECT)
@click.option("--version", type=COUNT, help="That version of the registry.")
@click.option(
    "--against",
    type=Against(),
    metavar=Against.name,
    help="The schema at git:REF, or the registry's latest.",
)
@directory_option
@json_option
@examples(
    "tailrace schema show orders.OrderCreated",
    "tailrace schema show orders.OrderCreated --against git:main",
    "tailrace schema show orders.OrderCreated --version 1",
)
@findings_only()
def show(*, subject: str, version: int | None, against: str | None, directory: Path) -> None:
    """Print the schema of SUBJECT: that of the working tree, or an older one."""
    found = contracts.show(where, directory, subject, version=version, against=against)
    if wants_json():
        emit({"subject": subject, "where": found.where, "schema": _content(subject, found.text)})
    else:
        _print_schema(subject, found.text)


def _content(subject: str, text: str) -> Any:
    try:
        return document(text)
    except MalformedFileError as error:
        raise click.ClickException(f"the schema of {subject} is malformed: {error}.") from error


def _print_schema(subject: str, text: str) -> None:
    """Print a file as it is written, and what the registry keeps on one line over several."""
    is_pretty = "\n" in text.strip()
    pretty = text.rstrip() if is_pretty else json.dumps(_content(subject, text), indent=2)
    out = console()
    if not out.is_terminal:
        click.echo(pretty)
        return
    from rich.syntax import Syntax

    out.print(Syntax(pretty, "json", background_color="default", word_wrap=True))
