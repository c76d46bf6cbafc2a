"""The command that publishes what whoever publishes has passed over: `outbox backfill`."""

from datetime import datetime
from typing import Any

import click

from cdc.recovery.gap import Gap
from cdc.recovery.publish import Published
from infra.cli.common import Command, examples
from infra.cli.output import as_data, json_option, tell
from infra.cli.progress import counting, on_stderr
from infra.cli.values import MOMENT
from infra.deployment.current import load_deployment
from infra.operations.outbox import backfill as operation


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Only say what would be published.")
@click.option(
    "--since",
    type=MOMENT,
    help="Look only at rows written since; by default at all that Kafka keeps.",
)
@json_option
@examples("tailrace outbox backfill --dry-run", "tailrace outbox backfill --since 2h")
def backfill(*, dry_run: bool, since: datetime | None) -> int:
    """Publish rows that Kafka lacks although connector or relay is past them.

    So it is with rows that were written while the publication did not carry them. Exactly those are published, in the
    order in which they were written; the pipeline goes on meanwhile. Of a key of which something later is in Kafka
    already, they come behind it. Ends with 1 if it is not certain yet whether rows are on their way.
    """
    progress = on_stderr(counting)
    found = operation.backfill(load_deployment(), since, progress, dry_run=dry_run)
    lines = [_line(each) for each in found] or ["Kafka lacks no row."]
    tell([_data(each) for each in found], lines)
    return 1 if any(isinstance(each, Gap) and not each.is_certain for each in found) else 0


def _data(each: Gap | Published) -> dict[str, Any]:
    if isinstance(each, Gap):
        return {**as_data(each), "published": 0}
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
