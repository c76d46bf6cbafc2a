"""The command that proves that rows and event logs agree, and with `--topic` that Kafka does: `outbox verify`."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
from click.core import ParameterSource
from rich.text import Text

from cdc.reconciliation import WRONG, ConsumerReport, Kind, Named, TopicReport
from infra.cli.common import Command, examples
from infra.cli.output import as_data, console, json_option, tell
from infra.cli.progress import counting, on_stderr
from infra.cli.screen import style
from infra.cli.values import CONSUMER, MOMENT, TOPIC, seconds, whole
from infra.deployment.current import load_deployment
from infra.operations.outbox import verify as operations
from infra.text import counted

SHOWN = 20

TOLD = {
    Kind.MISSING: "in an outbox, and not in Kafka",
    Kind.PENDING: "not in Kafka yet, still held by the slot",
    Kind.TOO_OLD: "written before what Kafka keeps, so that it cannot be told",
    Kind.PHANTOM: "in Kafka, and in no outbox: rolled back, or foreign",
    Kind.PRUNED: "in Kafka, and dropped from the outbox with their day",
    Kind.FOREIGN: "in Kafka without a message id",
    Kind.DUPLICATED: "more than once in Kafka; consumers drop the copies",
    Kind.DIFFERENT: "other bytes in Kafka than in the outbox",
    Kind.DISORDERED: "behind a later version of their key",
}


@click.command(cls=Command)
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
@examples(
    "tailrace outbox verify",
    "tailrace outbox verify --topic order.events",
    "tailrace outbox verify --topic order.events --from 2026-11-23T10:00 --to 2026-11-23T11:00",
)
def verify(*, topic: str | None, limit: int, **options: Any) -> int:
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
    deployment, progress = load_deployment(), on_stderr(counting)
    if topic is None:
        _require_topic(click.get_current_context())
        rows = operations.verify_rows(deployment, limit, progress)
        tell(rows, _rows_lines(rows))
        return 1 if any(each.found for each in rows.kinds) else 0
    report = operations.verify_topic(
        deployment, operations.TopicRequest(topic=topic, limit=limit, **options), progress
    )
    told = {"topic": report.topic, "ok": report.is_good} | as_data(report)
    tell(told, lambda: _print_topic(report))
    return 0 if report.is_good else 1


def _require_topic(context: click.Context) -> None:
    for parameter in context.command.params:
        given = context.get_parameter_source(str(parameter.name)) == ParameterSource.COMMANDLINE
        if given and parameter.name in {"since", "until", "others", "patience_s"}:
            raise click.UsageError(f"{parameter.opts[0]} needs --topic", context)


def _rows_lines(rows: operations.RowsReport) -> Iterator[str]:
    for report in rows.kinds:
        yield from _lines(report)
    names = ", ".join(rows.without_fold)
    yield f"Not compared, because no service declares their state: {names}."


def _lines(report: operations.KindReport) -> Iterator[str]:
    for finding in report.findings:
        yield f"{style(finding.what, fg='red', bold=True)}  {report.kind} {finding.id}"
        if finding.detail:
            yield f"    {finding.detail}"
        for each in finding.differences:
            yield f"    {each.column}: kept {_short(each.kept)}, by the log {_short(each.folded)}"
    if report.found > len(report.findings):
        yield f"and {report.found - len(report.findings)} more; --limit shows them."
    sum_up = (
        f"{counted(report.aggregates, report.kind)}, {counted(report.events, 'event')}"
        f", {counted(report.snapshots, 'snapshot')}"
    )
    if report.found:
        yield f"{sum_up}: {counted(report.found, 'finding')}."
    else:
        yield f"{sum_up}: every row equals its log."


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:120]}…"


def _print_topic(report: TopicReport) -> None:
    out = console()
    window = f"from {report.since:%Y-%m-%d %H:%M:%S %Z}" if report.since else "from the beginning"
    until = f" to {report.until:%Y-%m-%d %H:%M:%S %Z}" if report.until else ""
    out.print(
        f"{report.topic}, {window}{until}: {report.rows:,} rows, {report.records:,} records",
        Text(f"({report.seconds:.1f} s)", "dim"),
    )
    for kind in Kind:
        if count := report.counts[kind]:
            colour = "red" if kind in WRONG else "dim"
            out.print(Text(f"  {kind:<11} {count:>9,}", colour), f" {TOLD[kind]}")
            _print_named(report.named.get(kind, ()), count)
    for consumer in report.consumers:
        _print_consumer(consumer)
    good = Text("Nothing is missing.", "green")
    out.print(good if report.is_good else Text("Something is wrong.", "red"))


def _print_consumer(consumer: ConsumerReport) -> None:
    counts = {
        "taken": consumer.taken,
        "waiting": consumer.waiting,
        "ignored": consumer.ignored,
        "parked": consumer.parked,
        "skipped": consumer.skipped,
        "expired": consumer.expired,
        "forgotten": consumer.forgotten,
    }
    told = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    missing = Text(f"{consumer.missing:,} missing", "red") if consumer.missing else "none missing"
    console().print(f"  {consumer.consumer}: {told or 'nothing to take'},", missing)
    _print_named(consumer.named, consumer.missing)


def _print_named(named: Sequence[Named], count: int) -> None:
    for each in named:
        click.echo(f"    {each.id or '-':<36}  {each.detail}")
    if named and count > len(named):
        click.echo(f"    and {count - len(named):,} more; --limit shows them")
