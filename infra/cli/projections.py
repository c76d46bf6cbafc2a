"""The commands `tailrace projections`: which there are, and building them anew."""

import asyncio
import gc

import click
from rich.table import Table

from consumers.replay.outside import CapturedOutside
from consumers.replay.rebuild import Rebuild, Rebuilt
from consumers.replay.sandboxed import Subject
from consumers.replay.state import new_run_id
from infra.cli.output import console, json_option, print_json
from infra.cli.parked.text import counted
from infra.cli.progress import working_of
from infra.cli.replay.request import subject_named
from infra.cli.schema.baseline import examples
from infra.cli.values import CONSUMER
from infra.replay import leave_to_the_report, subject_of
from infra.services import WORKERS
from infra.settings import load_settings


@click.group()
def projections() -> None:
    """Work on projections: tables of which all that they hold follows from messages."""


@projections.command("list")
@json_option
def list_projections(*, as_json: bool) -> None:
    """List the projections that consumers declare."""
    settings = load_settings()
    found = [
        {"consumer": worker.name, "table": table}
        for worker in WORKERS
        for table in _declared(subject_of(settings, worker))
    ]
    if as_json:
        print_json(found)
        return
    shown = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("consumer", "table"):
        shown.add_column(heading, no_wrap=True)
    for each in found:
        shown.add_row(each["consumer"], each["table"])
    console().print(shown)


@projections.command()
@click.argument("consumer", type=CONSUMER)
@json_option
@examples("tailrace projections rebuild analytics")
def rebuild(*, consumer: str, as_json: bool) -> None:
    """Build the projections of CONSUMER anew from all messages, while its worker goes on.

    They are built beside the live ones, out of the event log and Kafka, up to where the worker stands. At the end the
    worker waits for a moment, and the live rows become the new ones in one transaction. Whoever reads them sees the old
    ones until then. When it fails or is interrupted, nothing has changed.
    """
    settings = load_settings()
    subject = subject_named(settings, consumer)
    assert subject is not None  # noqa: S101 - an argument is never missing
    gc.set_threshold(100_000, 50, 50)  # as in a worker, see consumers.runtime.worker.run
    leave_to_the_report()
    rebuilt = asyncio.run(_rebuild(subject, quiet=as_json))
    if as_json:
        print_json(_as_json(subject, rebuilt))
        return
    for table in rebuilt.tables:
        click.echo(
            f"{table.table}: {counted(table.rows, 'row')} of {counted(rebuilt.messages, 'message')}; "
            f"{table.written:,} written, {table.removed:,} removed, the others were right."
        )
    click.echo(
        f"{subject.name} waited {rebuilt.waited_s * 1000:,.0f} ms, while the last "
        f"{counted(rebuilt.handed_over, 'message')} and the rows were written."
    )


async def _rebuild(subject: Subject, *, quiet: bool) -> Rebuilt:
    with working_of(console(stderr=True), "applied", shown=not quiet) as show:
        return await Rebuild(subject, new_run_id(), show).run()


def _declared(subject: Subject) -> list[str]:
    consumer = subject.build(subject.url, CapturedOutside())
    return [name for name, table in consumer.tables.items() if table.is_projection]


def _as_json(subject: Subject, rebuilt: Rebuilt) -> dict[str, object]:
    return {
        "consumer": subject.name,
        "messages": rebuilt.messages,
        "handed_over": rebuilt.handed_over,
        "waited_ms": round(rebuilt.waited_s * 1000, 1),
        "tables": [
            {
                "table": table.table,
                "rows": table.rows,
                "written": table.written,
                "removed": table.removed,
            }
            for table in rebuilt.tables
        ],
    }
