"""The commands that look at contracts: `schema list` and `schema show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from cdc.text import did_you_mean
from infra.cli.common import examples
from infra.cli.output import console, emit, json_option, table
from infra.cli.schema.baseline import (
    DEFAULT,
    REGISTRY,
    Against,
    directory_option,
    findings_only,
    open_baseline,
    open_subjects,
)
from infra.cli.values import COUNT, SUBJECT
from schemas.catalogue import Catalogue
from schemas.gate import tree
from schemas.gate.diff import diff
from schemas.gate.git import GitError
from schemas.gate.sources import MalformedFileError, catalogue, document


@click.command("list")
@click.option("--registry", is_flag=True, help="Also show what the registry holds.")
@directory_option
@json_option
@examples(
    "tailrace schema list",
    "tailrace schema list --registry",
)
@findings_only()
def list_messages(*, registry: bool, directory: Path, as_json: bool) -> None:
    """Show every message: topic, owner, promise, and whether it changed since main."""
    files = tree.read(directory)
    try:
        declared = catalogue(files)
    except MalformedFileError as error:
        raise click.ClickException(f"{tree.CATALOGUE} is malformed: {error}. Mend it.") from error
    changed = _changed(directory, files)
    rows = [_row(name, declared, changed) for name in declared.messages]
    if registry:
        rows = _with_versions(rows)
    if as_json:
        emit(rows)
        return
    cells = (["-" if value is None else str(value) for value in row.values()] for row in rows)
    console().print(table(list(rows[0]) if rows else (), cells, wrap=True))


@click.command()
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
def show(
    *, subject: str, version: int | None, against: str | None, directory: Path, as_json: bool
) -> None:
    """Print the schema of SUBJECT: that of the working tree, or an older one."""
    if version and against not in {None, REGISTRY}:
        raise click.UsageError("--version is one of the registry; it does not go with git")
    where = f"version {version}" if version else against or "working tree"
    text = _text(subject, version, against, directory)
    if text is None:
        near = did_you_mean(subject, catalogue(tree.read(directory)).messages)
        raise click.UsageError(
            f"there is no {subject} in {where}{near or '; `tailrace schema list` shows what there is'}"
        )
    if as_json:
        emit({"subject": subject, "where": where, "schema": _content(subject, text)})
    else:
        _print_schema(subject, text)


def _content(subject: str, text: str) -> Any:
    try:
        return document(text)
    except MalformedFileError as error:
        raise click.ClickException(f"the schema of {subject} is malformed: {error}.") from error


def _text(subject: str, version: int | None, against: str | None, directory: Path) -> str | None:
    if version:
        with open_subjects() as subjects:
            found = {each.version: each.text for each in subjects.versions(subject)}
        return found.get(version)
    files: tree.Files = tree.read(directory)
    if against:
        files = open_baseline(against, directory, files).files
    return files.get(tree.path_of(subject))


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


def _changed(directory: Path, files: tree.Files) -> dict[str, str] | None:
    """Return what happened to the messages that changed; None when git cannot tell."""
    try:
        baseline = open_baseline(DEFAULT, directory, files)
    except GitError as error:
        click.echo(f"Whether they changed is unknown: {error}.", err=True)
        return None
    return {each.subject: each.kind for each in diff(files, baseline)}


def _row(name: str, declared: Catalogue, changed: dict[str, str] | None) -> dict[str, Any]:
    topic = declared.topic_of(name)
    return {
        "message": name,
        "topic": topic.name,
        "owner": topic.owner,
        "compatibility": declared.compatibility_of(name),
        "change": None if changed is None else changed.get(name, "unchanged"),
    }


def _with_versions(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the latest version in the registry, and its id."""
    with open_subjects() as subjects:
        held = [subjects.versions(row["message"]) for row in rows]
    return [
        row | {"version": versions[-1].version, "id": versions[-1].schema_id}
        if versions
        else row | {"version": None, "id": None}
        for row, versions in zip(rows, held, strict=True)
    ]
