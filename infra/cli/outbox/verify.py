"""The command that proves that rows and event logs agree, and with `--topic` that Kafka does: `outbox verify`."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import click
from click.core import ParameterSource

from cdc.event_log.verification import Finding, Verification, unmoving
from infra.cli.outbox.reconcile import verify_topic
from infra.cli.output import console, json_option, print_json
from infra.cli.parked.text import counted
from infra.cli.progress import counting
from infra.cli.schema.baseline import examples
from infra.cli.screen import style
from infra.cli.values import CONSUMER, MOMENT, TOPIC, seconds, whole
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
    "--topic", type=TOPIC, help="Compare outboxes, Kafka and inboxes for this topic instead."
)
@click.option(
    "--from",
    "since",
    type=MOMENT,
    help="Only what was written since: a time by your clock, or 2h ago.",
)
@click.option("--to", "until", type=MOMENT, help="Only what was written before.")
@click.option(
    "--consumer",
    "others",
    type=CONSUMER,
    multiple=True,
    metavar="NAME",
    help="Also a consumer that the catalogue does not declare.",
)
@click.option(
    "--patience",
    "patience_s",
    type=seconds(),
    default=30.0,
    show_default=True,
    help="How long to wait for what is not in Kafka yet.",
)
@click.option(
    "-n",
    "--limit",
    type=whole(0),
    default=SHOWN,
    show_default=True,
    help="Most findings shown of each kind; all are counted.",
)
@json_option
@click.pass_context
@examples(
    "tailrace outbox verify",
    "tailrace outbox verify --topic order.events",
    "tailrace outbox verify --topic order.events --from 2026-11-23T10:00 --to 2026-11-23T11:00",
)
def verify(
    context: click.Context, /, *, topic: str | None, limit: int, as_json: bool, **options: Any
) -> None:
    r"""Prove that rows and events agree, or with --topic that outbox, Kafka and inboxes do.

    \b
    Without --topic: every row equals what follows from its events. Everything is
    read as of one moment, while services go on writing. Told are rows that differ,
    by column, rows without events, events without a row, logs with a hole or an
    event that cannot be read, and snapshots that differ.
    With --topic: every message of the outboxes is in Kafka, byte for byte and in
    order, and was taken by every consumer that has passed it, while messages flow.

    Ends with 0 if there is nothing to tell, with 1 otherwise.
    """
    settings = load_settings()
    if topic is None:
        _require_topic(context)
        context.exit(_verify_rows(settings, limit, as_json=as_json))
    context.exit(verify_topic(settings, topic=topic, limit=limit, as_json=as_json, **options))


def _require_topic(context: click.Context) -> None:
    """Refuse options that make no sense without a topic."""
    for parameter in context.command.params:
        given = context.get_parameter_source(str(parameter.name)) == ParameterSource.COMMANDLINE
        if given and parameter.name in {"since", "until", "others", "patience_s"}:
            raise click.UsageError(f"{parameter.opts[0]} needs --topic", context)


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
        yield f"{style(finding.what, fg='red', bold=True)}  {result.kind} {finding.aggregate_id}"
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
