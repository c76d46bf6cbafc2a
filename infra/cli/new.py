"""The command `tailrace new`: begins a context."""

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from infra.cli.common import Group, examples
from infra.cli.output import json_option, tell
from infra.cli.values import SUBJECT, matching
from infra.interpreter import module_command
from infra.repository import REPOSITORY
from infra.scaffold import CONTEXT, NewContext, ScaffoldError, written
from infra.scaffold.asked import KINDS, Kind

AFTERWARDS = "`make up` runs it with all others; begin with its handlers and its contract."


@click.group(cls=Group)
def new() -> None:
    """Begin something new, with what every such thing has."""


@new.command()
@click.argument("name", type=matching("NAME", CONTEXT.pattern, "stock"))
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="consumer",
    show_default=True,
    help="What its service is: one that consumes messages, takes requests over REST, or answers questions by gRPC.",
)
@click.option(
    "--consumes",
    type=SUBJECT,
    multiple=True,
    help="A message that it handles; may be given more than once.",
)
@click.option(
    "--emits",
    type=SUBJECT,
    multiple=True,
    help="An event of its own; may be given more than once.",
)
@json_option
@examples(
    "tailrace new context stock --consumes orders.OrderCreated --emits stock.ItemsReserved",
    "tailrace new context catalog --kind rest --emits catalog.EntryAdded",
    "tailrace new context rates --kind grpc",
)
def context(
    *,
    name: str,
    kind: Kind,
    consumes: tuple[str, ...],
    emits: tuple[str, ...],
) -> None:
    """Write a context that consumes messages, takes requests or answers questions: folder, table, contract and a test.

    It is one that works; `make up` runs it with all others.
    """
    from infra.scaffold.undoing import whole_or_not_at_all

    wanted = NewContext(name=name, kind=kind, consumes=consumes, emits=emits)
    files = written(wanted, REPOSITORY)
    with whole_or_not_at_all(files):
        made = _write(files, emits)
    result = {"context": name, "service": wanted.service, "files": sorted(map(str, files))}
    wrote = (f"wrote {path}" for path in files)
    tell(result, [*wrote, *made, AFTERWARDS])


def _write(files: Mapping[Path, str], emits: Iterable[str]) -> list[str]:
    """Write a context, and what is made from its contracts; return what was said of that."""
    for path, text in files.items():
        (REPOSITORY / path).parent.mkdir(parents=True, exist_ok=True)
        (REPOSITORY / path).write_text(text)
    made = []
    for event in emits:
        wrote, *_ = _run("infra.cli", "schema", "golden", event).splitlines()
        made.append(wrote)
    made += _run("infra.generate").splitlines()  # knows of the golden bytes
    python = [str(path) for path in files if path.suffix == ".py"]
    _run("ruff", "check", "--quiet", "--fix", "--select", "I", *python)
    _run("ruff", "format", "--quiet", *python)
    return made


def _run(module: str, *arguments: str) -> str:
    """Run a module that sees the new files, which this process did not when it began; return what it says."""
    command = module_command(module, *arguments)
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        *_, reason = done.stderr.strip().splitlines() or [f"{module} has failed"]
        raise ScaffoldError(f"Nothing was written: {reason.removeprefix('tailrace: ')}")
    return done.stdout
