"""The command that compares outbox, Kafka and inboxes: `outbox verify --topic`."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from rich.text import Text

from cdc.reconciliation import (
    WRONG,
    ConsumerPlace,
    ConsumerReport,
    Kind,
    Named,
    Question,
    TopicReport,
    Window,
    reconcile,
)
from cdc.reconciliation.kafka import TopicReader
from consumers.replay.bounds import Bound, require_order
from consumers.replay.errors import ChoiceError
from infra.capture import outbox_urls
from infra.cli.output import console, print_json
from infra.cli.progress import counting
from infra.reconciliation import consumers_of, other_consumer, publisher_of
from infra.settings import Settings
from schemas.catalogue import catalogue

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


def verify_topic(  # noqa: PLR0913 - one parameter per option
    settings: Settings,
    *,
    topic: str,
    since: datetime | None,
    until: datetime | None,
    others: Sequence[str],
    patience_s: float,
    limit: int,
    as_json: bool,
) -> int:
    """Compare a topic with outboxes and inboxes, print what was found, and return the exit status."""
    try:
        require_order(Bound(time=since), Bound(time=until))
    except ChoiceError as error:
        raise click.UsageError(f"{error}.") from error
    question = Question(
        topic=topic,
        bootstrap=settings.kafka_bootstrap,
        outboxes=outbox_urls(settings),
        consumers=_consumers(settings, topic, others),
        window=Window(since=since, until=until),
        patience_s=patience_s,
        limit=limit,
    )
    out = console(stderr=True)
    report = reconcile(
        question,
        publisher_of(settings),
        lambda words, total: counting(out, words, total, shown=not as_json),
    )
    if not report.rows and not report.records and not _exists(settings, topic):
        raise click.UsageError(
            f"Kafka has no topic {topic}, and no outbox a message for it; `tailrace topics list` shows those there are."
        )
    if as_json:
        print_json(as_data(report))
    else:
        _print(report)
    return 0 if report.is_good else 1


def _exists(settings: Settings, topic: str) -> bool:
    if topic in catalogue().topics:
        return True
    with TopicReader(settings.kafka_bootstrap, topic) as reader:
        return bool(reader.ends())


def _consumers(settings: Settings, topic: str, others: Sequence[str]) -> list[ConsumerPlace]:
    found = consumers_of(settings, topic)
    return found + [place for name in others for place in other_consumer(settings, name, topic)]


def as_data(report: TopicReport) -> dict[str, Any]:
    """Return a report as JSON holds it."""
    return {
        "topic": report.topic,
        "ok": report.is_good,
        "since": _iso(report.since),
        "until": _iso(report.until),
        "rows": report.rows,
        "records": report.records,
        "counts": {str(kind): count for kind, count in report.counts.items()},
        "named": {
            str(kind): [asdict(each) for each in named] for kind, named in report.named.items()
        },
        "consumers": [asdict(consumer) for consumer in report.consumers],
        "seconds": report.seconds,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _print(report: TopicReport) -> None:
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
