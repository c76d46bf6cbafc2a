"""The command that shows how much each outbox holds: `outbox stats`."""

from collections.abc import Iterator, Sequence

import click
from rich.console import RenderableType

from cdc.retention.stats import Held, Progress
from infra.cli.common import Command, examples
from infra.cli.output import json_option, tell
from infra.cli.screen import style
from infra.deployment.current import load_deployment
from infra.operations.outbox import retention
from infra.tables import table
from infra.text import MEGABYTE, counted, duration, local, size

HEADINGS = ("outbox", "kind", "rows", "size", "oldest", "newest", "could be dropped")


@click.command(cls=Command)
@json_option
@examples("tailrace outbox stats", "tailrace outbox stats --json")
def stats() -> None:
    """Show how much each outbox holds, since when, and what of it could be dropped now.

    Rows of large outboxes are estimated by Postgres, and shown with a ~. Delayed messages are those that are kept back
    until their time; what the outbox refuses then is tried again until it goes.
    """
    found = retention.stats(load_deployment())
    rows = _rows(found.outboxes)
    kept = f"Messages are kept for {counted(found.outbox_days, 'day')}, events for good."
    shown: list[RenderableType] = [
        table(HEADINGS, rows, right=("rows", "size"), wrap=HEADINGS[4:]),
        *(style(line, fg="red") for line in _refused(found.outboxes)),
        f"{kept} {_told(found.publisher)}",
    ]
    tell(found, shown)


def _told(behind: Progress | retention.Waiting | None) -> str:
    if isinstance(behind, retention.Waiting):
        if behind.oldest_s is None:
            return "The relay has published everything."
        oldest = duration(int(behind.oldest_s))
        return f"The relay has {counted(behind.rows, 'row')} to publish, the oldest for {oldest}."
    if behind is None:
        return (
            "A replication slot is missing, so nothing is dropped: see `tailrace connector status`."
        )
    if behind.behind_bytes < MEGABYTE:
        return "Everything but the last moments is published."
    return f"{size(behind.behind_bytes)} of WAL are not confirmed as published yet."


def _refused(outboxes: Sequence[retention.OutboxStats]) -> Iterator[str]:
    for outbox in outboxes:
        if outbox.delayed.refused:
            messages = counted(outbox.delayed.refused, "delayed message")
            yield f"The outbox of {outbox.schema} refuses {messages}: {outbox.delayed.error}"


def _rows(outboxes: Sequence[retention.OutboxStats]) -> Iterator[tuple[str, ...]]:
    for outbox in outboxes:
        yield (outbox.schema, "events", *_held(outbox.events), "kept for good")
        freed = outbox.droppable_bytes
        could = f"{counted(len(outbox.droppable), 'partition')}, {size(freed)}" if freed else "none"
        yield ("", "messages", *_held(outbox.messages), could)
        if outbox.delayed.rows:
            first = local(outbox.delayed.next_at)
            yield ("", "delayed", f"{outbox.delayed.rows:,}", "", first, "", "kept back until then")


def _held(held: Held) -> tuple[str, str, str, str]:
    rows = "unknown" if held.rows is None else f"{'' if held.counted else '~'}{held.rows:,}"
    return rows, size(held.bytes), local(held.oldest), local(held.newest)
