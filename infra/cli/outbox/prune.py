"""The command that drops old days of messages: `outbox prune`."""

from collections.abc import Iterator, Sequence

import click

from cdc.retention.rounds import Day
from infra.cli.common import Command, examples
from infra.cli.output import json_option, tell
from infra.cli.screen import style
from infra.cli.values import whole
from infra.deployment import MAX_OUTBOX_DAYS
from infra.deployment.current import load_deployment
from infra.operations.outbox import retention
from infra.text import size

DRY_WORDS = {
    "dropped": "would be dropped",
    "made": "would be made",
    "taken over": "would be taken over",
}
COLOURS = {"dropped": "green", "missing": "red", "made": "cyan", "taken over": "cyan"}


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and why.")
@click.option(
    "--keep",
    type=whole(1, MAX_OUTBOX_DAYS, "DAYS"),
    help="Days that messages are kept at least, instead of the setting outbox_days.",
)
@json_option
@examples("tailrace outbox prune --dry-run", "tailrace outbox prune --keep 2")
def prune(*, dry_run: bool, keep: int | None) -> int:
    """Drop days of messages that are old and published, and make days ahead.

    Messages are what is in an outbox besides events: commands, replies, signs of life. A day of them goes whole, which
    gives its space back at once, and never before whoever publishes the outbox has confirmed all of it. Events are kept
    for good. The program `retention` does the same every hour.

    Ends with 1 if messages lie in the default partition and could not be taken over, or a day could not be made.
    """
    done = retention.prune(load_deployment(), keep_days=keep, dry_run=dry_run)
    days_of = done.outboxes.items()
    lines = (line for each in days_of for line in _lines(*each, dry_run=dry_run))
    tell(done, lines)
    return 0 if done.is_good else 1


def _lines(schema: str, days: Sequence[Day], *, dry_run: bool) -> Iterator[str]:
    yield style(schema, bold=True)
    for day in days:
        word = DRY_WORDS.get(day.fate, day.fate) if dry_run else day.fate
        fate = style(f"{word:<16}", fg=COLOURS.get(day.fate))
        yield f"  {fate}  {day.name:<40}  {size(day.bytes):>9}  {day.why or ''}".rstrip()
    freed = sum(day.bytes for day in days if day.fate == "dropped")
    if freed:
        yield f"  {size(freed)} {'would be given' if dry_run else 'given'} back"
