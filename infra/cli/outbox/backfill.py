"""The command that publishes what whoever publishes has passed over: `outbox backfill`."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from cdc.reconciliation import Window, open_outboxes
from cdc.recovery.gap import Gap, fill_gap, find_gap
from cdc.recovery.publish import Published
from infra.capture import outbox_urls
from infra.cli.output import console, json_option, print_json
from infra.cli.progress import counting
from infra.cli.schema.baseline import examples
from infra.cli.values import MOMENT
from infra.drift.database import open_database
from infra.drift.delivery import place
from infra.drift.difference import told
from infra.drift.publication import publication_differences
from infra.errors import TailraceError
from infra.local.programs import publisher
from infra.settings import Settings, load_settings

PATIENCE_S = 30.0
LOCK = "select pg_try_advisory_lock(hashtext('tailrace outbox backfill'))"


class BackfillError(TailraceError):
    """Rows cannot be published now without losing or repeating others."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be published.")
@click.option(
    "--since",
    type=MOMENT,
    help="Look only at rows written since; by default at all that Kafka keeps.",
)
@json_option
@click.pass_context
@examples("tailrace outbox backfill --dry-run", "tailrace outbox backfill --since 2h")
def backfill(
    context: click.Context, /, *, dry_run: bool, since: datetime | None, as_json: bool
) -> None:
    """Publish rows that Kafka lacks although connector or relay is past them.

    So it is with rows that were written while the publication did not carry them. Exactly those are published, in the
    order in which they were written; the pipeline goes on meanwhile. Of a key of which something later is in Kafka
    already, they come behind it. Ends with 1 if it is not certain yet whether rows are on their way.
    """
    settings = load_settings()
    found: list[Gap | Published] = []
    with open_database(settings) as connection:
        if not connection.execute(LOCK).fetchall()[0][0]:
            raise BackfillError("Another `tailrace outbox backfill` is at work: wait for it.")
        if publisher(settings) == "cdc" and (differing := publication_differences(connection)):
            raise BackfillError(
                f"Rows that are written now would be missing again, as {told(differing)[0]}: "
                "run `tailrace migrate` first."
            )
        where = place(settings, Window(since=since), PATIENCE_S)
        act = find_gap if dry_run else fill_gap
        for topic in _topics(settings):
            done = act(where, topic, _progress(as_json=as_json))
            if done is not None:
                found.append(done)
    _tell(found, as_json=as_json)
    context.exit(1 if any(isinstance(each, Gap) and not each.is_certain for each in found) else 0)


def _topics(settings: Settings) -> Sequence[str]:
    with open_outboxes(outbox_urls(settings)) as outboxes:
        return outboxes.topics()


def _progress(*, as_json: bool) -> Any:
    out = console(stderr=True)
    return lambda words, total: counting(out, words, total, shown=not as_json)


def _tell(found: Sequence[Gap | Published], *, as_json: bool) -> None:
    if as_json:
        print_json([_data(each) for each in found])
        return
    for each in found:
        click.echo(_line(each))
    if not found:
        click.echo("Kafka lacks no row.")


def _data(each: Gap | Published) -> dict[str, Any]:
    if isinstance(each, Gap):
        return asdict(each) | {"published": 0}
    return {"topic": each.topic, "rows": each.rows, "published": each.rows}


def _line(each: Gap | Published) -> str:
    if isinstance(each, Published):
        return f"{each.topic}: {each.rows:,} rows published, from {each.first} to {each.last}"
    if each.is_certain:
        return (
            f"{each.topic}: {each.rows:,} rows would be published, the first written {each.first}"
        )
    return (
        f"{each.topic}: {each.rows:,} rows are not in Kafka yet, and connector or relay has not come to them; nothing "
        "was done: see `make doctor`, then run this again"
    )
