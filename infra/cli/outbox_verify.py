"""The command that proves that rows and event logs agree: `outbox verify`."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import click

from cdc.event_log.verification import Finding, Verification, unmoving
from infra.cli.output import console, json_option, print_json
from infra.cli.parked_text import counted
from infra.cli.progress import counting
from infra.cli.schema_baseline import examples
from infra.event_logs import LoggedKind, event_log, logged_kinds, open_log
from infra.settings import Settings, load_settings

SHOWN = 20


@dataclass(slots=True)
class _Result:
    """What became of one kind of aggregate.

    Args:
        kind: Its name.
        events: Events that were read.
        aggregates: Aggregates that were compared.
        snapshots: Snapshots that were compared.
        found: Number of findings.
        findings: The first of them.
    """

    kind: str
    events: int = 0
    aggregates: int = 0
    snapshots: int = 0
    found: int = 0
    findings: list[Finding] = field(default_factory=list)


@click.command()
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    default=SHOWN,
    show_default=True,
    help="Most findings shown; all are counted.",
)
@json_option
@click.pass_context
@examples("tailrace outbox verify", "tailrace outbox verify --json --limit 1000")
def verify(context: click.Context, *, limit: int, as_json: bool) -> None:
    """Prove for all aggregates that the row equals what follows from its events.

    Everything is read as of one moment, while services go on writing. Told are rows that differ, by column, rows
    without events, events without a row, logs with a hole or an event that cannot be read, and snapshots that differ.
    Ends with 0 if there is nothing to tell, with 1 otherwise.
    """
    context.exit(_verify_rows(load_settings(), limit, as_json=as_json))


def _verify_rows(settings: Settings, limit: int, *, as_json: bool) -> int:
    """Compare rows with logs and return the exit status."""
    kinds = logged_kinds().values()
    results = [
        asyncio.run(_compare(settings, kind, limit, as_json=as_json)) for kind in kinds if kind.fold
    ]
    unfolded = [kind.name for kind in kinds if not kind.fold]
    if as_json:
        print_json({"kinds": [_as_json(result) for result in results], "without_fold": unfolded})
    else:
        for result in results:
            for line in _lines(result):
                click.echo(line)
        click.echo(f"Not compared, because no service declares their state: {', '.join(unfolded)}.")
    return 1 if any(result.found for result in results) else 0


async def _compare(settings: Settings, kind: LoggedKind, limit: int, *, as_json: bool) -> _Result:
    assert kind.fold is not None and kind.rows is not None  # noqa: S101, PT018 - the caller has looked
    result = _Result(kind.name)
    async with open_log(settings, kind) as connection, unmoving(connection):
        work = Verification(connection, event_log(settings, kind.fold), kind.rows)
        total = await work.total()
        out = console(stderr=True)
        with counting(out, f"{kind.name} events", total, shown=not as_json) as show:
            work.on_progress = show
            async with aclosing(work.findings()) as findings:
                async for finding in findings:
                    result.found += 1
                    if len(result.findings) < limit:
                        result.findings.append(finding)
    result.events, result.aggregates, result.snapshots = (
        work.events,
        work.aggregates,
        work.snapshots,
    )
    return result


def _lines(result: _Result) -> Iterator[str]:
    for finding in result.findings:
        yield f"{click.style(finding.what, fg='red', bold=True)}  {result.kind} {finding.aggregate_id}"
        if finding.detail:
            yield f"    {finding.detail}"
        for each in finding.differences:
            yield f"    {each.column}: kept {_short(each.kept)}, by the log {_short(each.folded)}"
    if result.found > len(result.findings):
        yield f"and {result.found - len(result.findings)} more; --limit shows them."
    sum_up = (
        f"{counted(result.aggregates, result.kind)}, {counted(result.events, 'event')}"
        f", {counted(result.snapshots, 'snapshot')}"
    )
    if result.found:
        yield f"{sum_up}: {counted(result.found, 'finding')}."
    else:
        yield f"{sum_up}: every row equals its log."


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:120]}…"


def _as_json(result: _Result) -> dict[str, Any]:
    return {
        "kind": result.kind,
        "events": result.events,
        "aggregates": result.aggregates,
        "snapshots": result.snapshots,
        "found": result.found,
        "findings": [
            {
                "id": finding.aggregate_id,
                "what": finding.what,
                "detail": finding.detail,
                "differences": [
                    {"column": each.column, "kept": str(each.kept), "folded": str(each.folded)}
                    for each in finding.differences
                ],
            }
            for finding in result.findings
        ],
    }
