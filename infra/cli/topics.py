"""Commands that show topics and what is in them."""

import json
from typing import Any

import click

from cdc import topics as kafka_topics
from cdc.tail import Tail, TailedRecord
from cdc.text import printable, text_of
from infra.cli.common import usage_errors
from infra.cli.mended import tell_mended
from infra.cli.output import as_data, console, emit, json_option, table
from infra.cli.screen import style
from infra.cli.values import KEY, TEXT, TOPIC, whole
from infra.drift.topics import topic_differences
from infra.local.pipeline import apply_topics
from infra.operations.topics import require_types
from infra.settings import Settings, load_settings
from schemas.codec import Codec
from schemas.registry import SchemaStore


@click.group()
def topics() -> None:
    """Show topics, and the records in them."""


@topics.command("list")
@json_option
def list_topics(*, as_json: bool) -> None:
    """Show the topics of the catalogue: owner, partitions, records kept."""
    summaries = kafka_topics.summaries(load_settings().kafka_bootstrap)
    if as_json:
        emit([as_data(summary.topic) | {"records": summary.records} for summary in summaries])
        return
    headings = ("topic", "owner", "partitions", "retention", "records", "messages")
    console().print(table(headings, map(_row, summaries), wrap=True))


def _row(summary: kafka_topics.Summary) -> tuple[str, ...]:
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
@click.pass_context
def apply(context: click.Context, /, *, add_partitions: bool, as_json: bool) -> None:
    """Create the topics that are missing, and put settings back to what the catalogue declares.

    Ends with 1 if something is left that no command mends.
    """
    settings = load_settings()
    done = apply_topics(settings, add_partitions=add_partitions)
    left = topic_differences(settings)
    tell_mended(done, left, as_json=as_json)
    context.exit(1 if left else 0)


@topics.command()
@click.argument("topic", type=TOPIC)
@click.option("-n", "--last", "count", type=whole(1, 1_000_000), default=10, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Then go on with new records until Ctrl-C.")
@click.option("--key", type=KEY, help="Only records of this key, such as an order id.")
@click.option("--type", "type_", type=TEXT, help="Only this message, such as orders.OrderCreated.")
@json_option
@usage_errors()
def tail(
    *, topic: str, count: int, follow: bool, key: bytes | None, type_: str | None, as_json: bool
) -> None:
    """Show the last records of TOPIC, decoded, with their headers.

    With --json, one object a line.
    """
    require_types([topic], [type_] if type_ else [])
    text = None if key is None else text_of(key)

    def wanted(record: TailedRecord) -> bool:
        return text in {None, record.key} and type_ in {None, record.type}

    reader = _open(load_settings(), topic)
    render = _line if as_json else _block
    try:
        for record in reader.last(count, wanted if text is not None or type_ else None):
            click.echo(render(record))
        for record in filter(wanted, reader.follow() if follow else ()):
            click.echo(render(record))
    except KeyboardInterrupt:
        click.echo(err=True)
    finally:
        reader.close()


def _open(settings: Settings, topic: str) -> Tail:
    codec = Codec(SchemaStore(settings.registry_url, settings.schema_cache), [])
    return Tail(settings.kafka_bootstrap, topic, codec)


def _line(record: TailedRecord) -> str:
    return json.dumps(as_data(record))


def _block(record: TailedRecord) -> str:
    """Return a record as a few lines: what and where, the headers, the value."""
    title = style(printable(record.type or "undecodable"), bold=True)
    place = f"{record.topic}/{record.partition}/{record.offset}"
    lines = [f"{title}  {place}  key {printable(str(record.key))}  {record.timestamp.isoformat()}"]
    headers = (f"{name}: {value}" for name, value in record.headers.items() if value is not None)
    shown = [record.error] if record.error is not None else _json_lines(record.value)
    lines += [f"  {printable(line)}" for line in (*headers, *shown)]
    return "\n".join(lines) + "\n"


def _json_lines(value: dict[str, Any] | None) -> list[str]:
    return json.dumps(as_data(value), indent=2, ensure_ascii=False).split("\n")
