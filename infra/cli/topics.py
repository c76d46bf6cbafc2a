"""Commands that show topics and what is in them."""

import json

import click

from cdc.tail import TailedRecord
from cdc.text import printable
from cdc.topics import Summary
from consumers.replay.where import Condition
from infra.cli.common import Group, examples
from infra.cli.mended import tell_mended
from infra.cli.output import as_data, json_option, tell, wants_json
from infra.cli.screen import style
from infra.cli.values import BOUND, CONDITION, KEY, TEXT, TOPIC, Parsed, bound, whole
from infra.deployment.current import load_deployment
from infra.operations import topics as operations
from infra.operations.declared import apply_topics
from infra.operations.records import (
    LOOKED_AT,
    MOST,
    Filter,
    SearchRequest,
    SearchResult,
    find,
    header_of,
)
from infra.operations.topics import TailRequest
from infra.tables import table
from infra.text import counted

PATIENCE_S = 300.0


@click.group(cls=Group)
def topics() -> None:
    """Show topics, and the records in them."""


@topics.command("list")
@json_option
def list_topics() -> None:
    """Show the topics of the catalogue: owner, partitions, records kept."""
    summaries = operations.summaries(load_deployment())
    result = [as_data(summary.topic) | {"records": summary.records} for summary in summaries]
    headings = ("topic", "owner", "partitions", "retention", "records", "messages")
    tell(result, [table(headings, map(_row, summaries), wrap=("messages",))])


def _row(summary: Summary) -> tuple[str, ...]:
    topic = summary.topic
    records = "missing" if summary.records is None else str(summary.records)
    kept = "forever" if topic.retention_hours < 0 else f"{topic.retention_hours} h"
    row = (topic.name, topic.owner, str(topic.partitions), kept, records)
    return (*row, ", ".join(topic.messages))


@topics.command()
@click.option(
    "--add-partitions",
    is_flag=True,
    help="Add partitions too where there are fewer than declared; keys move by that.",
)
@json_option
def apply(*, add_partitions: bool) -> int:
    """Create the topics that are missing, and put settings back to what the catalogue declares.

    Ends with 1 if something is left that no command mends.
    """
    return tell_mended(apply_topics(load_deployment(), add_partitions=add_partitions))


@topics.command()
@click.argument("topic", type=TOPIC)
@click.option("-n", "--last", "count", type=whole(1, 1_000_000), default=10, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Then go on with new records until Ctrl-C.")
@click.option("--key", type=KEY, help="Only records of this key, such as an order id.")
@click.option("--type", "type_", type=TEXT, help="Only this message, such as orders.OrderCreated.")
@json_option
def tail(*, topic: str, count: int, follow: bool, key: bytes | None, type_: str | None) -> None:
    """Show the last records of TOPIC, decoded, with their headers.

    With --json, one object a line.
    """
    request = TailRequest(topic=topic, count=count, key=key, type=type_, follow=follow)
    try:
        with operations.tail(load_deployment(), request) as records:
            for record in records:
                click.echo(json.dumps(as_data(record)) if wants_json() else _block(record))
    except KeyboardInterrupt:
        click.echo(err=True)


@topics.command()
@click.argument("topic", type=TOPIC)
@click.option("-n", "--limit", type=whole(1, MOST), default=10, show_default=True)
@click.option("--key", type=KEY, help="Only records of this key, such as an order id.")
@click.option("--type", "type_", type=TEXT, help="Only this message, such as orders.OrderCreated.")
@click.option(
    "--header",
    "headers",
    type=Parsed("name=value", header_of),
    multiple=True,
    help="That has this header; may be repeated.",
)
@click.option(
    "--where",
    type=CONDITION,
    multiple=True,
    help="That says this: currency=EUR, total>100, lines.0.sku=book-1. All of them must hold.",
)
@click.option("--partition", type=whole(0), help="Only of this partition.")
@click.option(
    "--until",
    type=BOUND,
    multiple=True,
    help="Recorded before this time, or longer ago than 2h; or before an offset of a partition.",
)
@click.option(
    "--looked-at",
    type=whole(1, 100_000_000),
    default=LOOKED_AT,
    show_default=True,
    help="Look at no more than about so many.",
)
@json_option
@examples(
    "tailrace topics search order.events --where customer_id=ada",
    "tailrace topics search order.events --type orders.OrderCancelled --until 2h",
)
def search(  # noqa: PLR0913 - one for each option
    *,
    topic: str,
    limit: int,
    key: bytes | None,
    type_: str | None,
    headers: tuple[tuple[str, str], ...],
    where: tuple[Condition, ...],
    partition: int | None,
    until: tuple[str, ...],
    looked_at: int,
) -> None:
    """Show the newest records of TOPIC that are wanted, decoded, newest first, and how far they were looked for."""
    wanted = Filter(
        topic=topic, partition=partition, key=key, type=type_, headers=headers, where=where
    )
    request = SearchRequest(
        wanted=wanted,
        until=bound("--until", until),
        limit=limit,
        looked_at=looked_at,
        seconds=PATIENCE_S,
    )
    result = find(load_deployment(), request)
    tell(result, lambda: _show(result))


def _show(result: SearchResult) -> None:
    for record in result.found.records:
        click.echo(_block(record))
    click.echo(
        f"{counted(result.found.looked_at, 'record')} looked at, {result.found.left:,} left."
    )
    if result.misfit:
        click.echo(f"Not held against all: {result.misfit}.", err=True)


def _block(record: TailedRecord) -> str:
    title = style(printable(record.type or "undecodable"), bold=True)
    place = f"{record.topic}/{record.partition}/{record.offset}"
    lines = [f"{title}  {place}  key {printable(str(record.key))}  {record.timestamp.isoformat()}"]
    headers = (f"{name}: {value}" for name, value in record.headers.items() if value is not None)
    value = json.dumps(as_data(record.value), indent=2, ensure_ascii=False).split("\n")
    shown = value if record.error is None else [record.error]
    lines += [f"  {printable(line)}" for line in (*headers, *shown)]
    return "\n".join(lines) + "\n"
