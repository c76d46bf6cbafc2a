"""Commands that change the schema registry, and tell who changed it: `schema publish` and `schema history`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import click
from rich.console import RenderableType

from infra.cli.common import Command, examples
from infra.cli.output import console, json_option, tell
from infra.cli.progress import open_bar
from infra.cli.schema.diff import lines_of
from infra.cli.values import SUBJECT
from infra.deployment.current import load_deployment
from infra.operations import schema as operations
from infra.operations.schema import HistoryEntry, PublishedSubject, Version
from infra.tables import table
from infra.text import local
from schemas.gate.finding import Finding
from schemas.publish_plan import BrokenContractError, Progress


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Ask the gate and say what would be done.")
@click.option(
    "--new-ids", is_flag=True, help="Go on although the registry has lost ids that are in use."
)
@json_option
@examples(
    "tailrace schema publish --dry-run",
    "tailrace schema publish",
)
def publish(*, dry_run: bool, new_ids: bool) -> int:
    """Register the schemas that the registry does not hold yet.

    All of them must pass the gate, or none is registered. The second time there is nothing to do.
    """
    try:
        with _progress() as progress:
            done = operations.publish(load_deployment(), progress, dry_run=dry_run, new_ids=new_ids)
    except BrokenContractError as error:
        tell({"findings": error.findings}, partial(_refuse, error.findings))
        return 1
    tell(done, _lines(done, dry_run=dry_run))
    return 0


@click.command(cls=Command)
@click.argument("subject", type=SUBJECT)
@click.option("--changes", is_flag=True, help="Show what each version changed, newest first.")
@json_option
@examples(
    "tailrace schema history orders.OrderCreated",
    "tailrace schema history orders.OrderCreated --changes",
)
def history(*, subject: str, changes: bool) -> None:
    """Show the versions of SUBJECT: when each was published, by whom, from which git revision."""
    if changes:
        versions = operations.versions(load_deployment(), subject)
        tell(versions, [line for each in versions for line in _changed(each)])
        return
    entries = operations.history(load_deployment(), subject)
    headings = ("version", "id", "when", "who", "git revision")
    tell(entries, [table(headings, map(_cells, entries), wrap=headings)])


def _lines(done: Sequence[PublishedSubject], *, dry_run: bool) -> Iterator[RenderableType]:
    rows = ((each.subject, _text(each.version), _text(each.schema_id), each.state) for each in done)
    yield table(("subject", "version", "id", ""), rows, wrap=("",))
    changed = [each for each in done if each.state != "unchanged"]
    if not changed:
        yield f"Nothing to publish: the registry holds all {len(done)} schemas as they are."
    elif dry_run:
        yield f"{len(changed)} of {len(done)} would change; the gate lets them pass."
    else:
        yield f"{len(changed)} of {len(done)} changed."


def _refuse(findings: Sequence[Finding]) -> None:
    for finding in findings:
        click.echo(str(finding))
    subjects = {finding.subject for finding in findings}
    click.echo(f"Nothing was published: the gate refuses {', '.join(sorted(subjects))}.", err=True)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show a bar on a terminal while the subjects are gone through; no trace of it stays."""
    with open_bar(console(stderr=True), "") as show:
        yield lambda subject, done, total: show(done, total, subject)


def _cells(entry: HistoryEntry) -> tuple[str, ...]:
    name = (str(entry.version), str(entry.schema_id))
    if entry.published_at is None:
        return (*name, "not recorded", "", "")
    when, revision = local(entry.published_at), entry.revision or "no git repository"
    return (*name, when, entry.publisher or "", revision)


def _changed(each: Version) -> Iterator[str]:
    yield " ".join(filter(None, ("version", *_cells(each.published))))
    yield from lines_of(each.change) if each.change else ()


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
