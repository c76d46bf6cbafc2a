"""Commands that change the schema registry, and tell who changed it: `schema publish` and `schema history`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

from infra.cli.output import console, json_option, print_json
from infra.cli.schema.baseline import examples
from infra.cli.values import SUBJECT
from infra.drift.difference import told
from infra.drift.registry import id_differences
from infra.errors import TailraceError
from infra.registry_access import publication_log, reading, writing
from infra.settings import Settings, load_settings
from schemas import publish as publishing
from schemas import publisher
from schemas.gate.finding import Finding
from schemas.publications import Publication
from schemas.publish import Published
from schemas.publish_plan import BrokenContractError, Planned, Progress, contracts, plan
from schemas.registry_subjects import Registered, Subjects


class LostIdsError(TailraceError):
    """The registry does not know ids that are in use."""


class UnknownSubjectError(TailraceError):
    """The registry knows no such subject."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One version of a subject and what is known of its publication."""

    version: int
    schema_id: int
    published_at: datetime | None
    publisher: str | None
    revision: str | None


@click.command()
@click.option("--dry-run", is_flag=True, help="Ask the gate and say what would be done.")
@click.option(
    "--new-ids", is_flag=True, help="Go on although the registry has lost ids that are in use."
)
@json_option
@examples(
    "tailrace schema publish --dry-run",
    "tailrace schema publish",
)
@click.pass_context
def publish(context: click.Context, *, dry_run: bool, new_ids: bool, as_json: bool) -> None:
    """Register the schemas that the registry does not hold yet.

    All of them must pass the gate, or none is registered. The second time there is nothing to do.
    """
    settings = load_settings()
    try:
        with _progress(as_json=as_json) as progress:
            done: Sequence[Planned] | Sequence[Published]
            if dry_run:
                with Subjects.open(reading(settings)) as subjects:
                    done = plan(subjects, contracts(), progress)
            else:
                if not new_ids:
                    _require_known_ids(settings)
                done = publishing.publish(
                    writing(settings),
                    publication_log(settings),
                    publisher.present(),
                    progress=progress,
                )
    except BrokenContractError as error:
        _refuse(error.findings, as_json=as_json)
        context.exit(1)
    _tell([_row(each) for each in done], dry_run=dry_run, as_json=as_json)


def _require_known_ids(settings: Settings) -> None:
    """Hand out no second id for a schema that messages name by its first."""
    if lost := id_differences(settings):
        what, remedy = told(lost)
        raise LostIdsError(
            f"Nothing was published, because the registry has lost ids that messages name: {what}. {remedy[0].upper()}"
            f"{remedy[1:]}; --new-ids publishes all the same."
        )


@click.command()
@click.argument("subject", type=SUBJECT)
@json_option
@examples(
    "tailrace schema history orders.OrderCreated",
)
def history(*, subject: str, as_json: bool) -> None:
    """Show the versions of SUBJECT: when each was published, by whom, from which git revision."""
    settings = load_settings()
    with Subjects.open(reading(settings)) as subjects:
        versions = subjects.versions(subject)
    if not versions:
        raise UnknownSubjectError(
            f"The registry holds no version of {subject}: `tailrace schema list` shows the messages, "
            "and `make schema-publish` publishes them."
        )
    entries = joined(versions, publication_log(settings).read(subject))
    if as_json:
        print_json([_as_json(entry) for entry in entries])
        return
    table = _table("version", "id", "when", "who", "git revision")
    for entry in entries:
        table.add_row(*_cells(entry))
    console().print(table)


def joined(
    versions: Sequence[Registered], publications: Sequence[Publication]
) -> list[HistoryEntry]:
    """Return the versions with what the log says of each, which is nothing if it was registered in another way.

    Args:
        versions: Of one subject, oldest first.
        publications: Of the same subject, oldest first; of several for one version the last counts.
    """
    known = {(each.version, each.schema_id): each for each in publications}
    entries = []
    for each in versions:
        found = known.get((each.version, each.schema_id))
        said = (found.published_at, found.publisher, found.revision) if found else (None,) * 3
        entries.append(HistoryEntry(each.version, each.schema_id, *said))
    return entries


@dataclass(frozen=True, slots=True)
class _Row:
    """What is told of one subject."""

    subject: str
    version: int | None
    schema_id: int | None
    state: str


def _row(each: Planned | Published) -> _Row:
    if isinstance(each, Published):
        return _Row(each.subject, each.version, each.schema_id, each.state)
    held = each.held
    version, schema_id = (held.version, held.schema_id) if held else (None, None)
    return _Row(each.contract.subject, version, schema_id, each.state)


def _tell(rows: list[_Row], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    table = _table("subject", "version", "id", "")
    for row in rows:
        table.add_row(row.subject, _text(row.version), _text(row.schema_id), row.state)
    console().print(table)
    changed = [row for row in rows if row.state != "unchanged"]
    if not changed:
        click.echo(f"Nothing to publish: the registry holds all {len(rows)} schemas as they are.")
    elif dry_run:
        click.echo(f"{len(changed)} of {len(rows)} would change; the gate lets them pass.")
    else:
        click.echo(f"{len(changed)} of {len(rows)} changed.")


def _refuse(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
        return
    for finding in findings:
        click.echo(str(finding))
    subjects = {finding.subject for finding in findings}
    click.echo(f"Nothing was published: the gate refuses {', '.join(sorted(subjects))}.", err=True)


@contextmanager
def _progress(*, as_json: bool) -> Iterator[Progress]:
    """Show a bar on a terminal while the subjects are gone through; no trace of it stays."""
    screen: Console = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    shown = screen.is_terminal and not as_json
    with Bar(*columns, console=screen, transient=True, disable=not shown) as bar:
        task = bar.add_task("", total=None)

        def advance(subject: str, done: int, total: int) -> None:
            bar.update(task, description=subject, completed=done, total=total)

        yield advance


def _as_json(entry: HistoryEntry) -> dict[str, object]:
    at = entry.published_at
    return asdict(entry) | {"published_at": at.isoformat() if at else None}


def _cells(entry: HistoryEntry) -> tuple[str, ...]:
    if entry.published_at is None:
        return (str(entry.version), str(entry.schema_id), "not recorded", "", "")
    when = entry.published_at.astimezone().isoformat(" ", "seconds")
    return (
        str(entry.version),
        str(entry.schema_id),
        when,
        entry.publisher or "",
        entry.revision or "no git repository",
    )


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in headings:
        table.add_column(heading)
    return table


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
