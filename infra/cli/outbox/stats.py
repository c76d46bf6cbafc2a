"""The command that shows how much each outbox holds: `outbox stats`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import click
from rich.table import Table

from cdc.database import connect
from cdc.retention.rounds import Day
from cdc.retention.stats import Held, Progress, measure, progress
from infra.cli.output import console, json_option, print_json, size
from infra.cli.parked.text import counted, local
from infra.cli.schema.baseline import examples
from infra.retention_access import look_after
from infra.services import OUTBOXES, PUBLICATION
from infra.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class _Outbox:
    """What is shown of one outbox."""

    schema: str
    events: Held
    messages: Held
    days: Sequence[Day]

    @property
    def droppable(self) -> list[Day]:
        """Days that the next round drops."""
        return [day for day in self.days if day.fate == "dropped"]


@click.command()
@json_option
@examples("tailrace outbox stats", "tailrace outbox stats --json")
def stats(*, as_json: bool) -> None:
    """Show how much each outbox holds, since when, and what of it could be dropped now.

    Rows of large outboxes are estimated by Postgres, and shown with a ~.
    """
    settings = load_settings()
    outboxes, behind = _measure(settings)
    if as_json:
        print_json(
            {
                "outboxes": [_as_json(outbox) for outbox in outboxes],
                "outbox_days": settings.outbox_days,
                "publisher": asdict(behind) if behind else None,
            }
        )
        return
    console().print(_table(outboxes))
    kept = f"Messages are kept for {counted(settings.outbox_days, 'day')}, events for good."
    click.echo(f"{kept} {_told(behind)}")


def _measure(settings: Settings) -> tuple[list[_Outbox], Progress | None]:
    days = look_after(settings, timedelta(days=settings.outbox_days), dry_run=True)
    outboxes, behind = [], None
    for schema in OUTBOXES:
        with connect(settings.database_url(schema), autocommit=True) as connection:
            events, messages = measure(connection)
            behind = progress(connection, PUBLICATION)
        outboxes.append(_Outbox(schema, events, messages, days[schema]))
    return outboxes, behind


def _told(behind: Progress | None) -> str:
    if behind is None:
        return f"There is no replication slot {PUBLICATION}, so nothing is dropped."
    if behind.behind_bytes < 2**20:
        return "Everything but the last moments is published."
    return f"{size(behind.behind_bytes)} of WAL are not confirmed as published yet."


def _table(outboxes: Sequence[_Outbox]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("outbox", "kind"):
        table.add_column(heading, no_wrap=True)
    for heading in ("rows", "size"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("oldest", "newest", "could be dropped"):
        table.add_column(heading, no_wrap=True)
    for outbox in outboxes:
        table.add_row(outbox.schema, "events", *_held(outbox.events), "kept for good")
        freed = sum(day.bytes for day in outbox.droppable)
        could = f"{counted(len(outbox.droppable), 'partition')}, {size(freed)}" if freed else "none"
        table.add_row("", "messages", *_held(outbox.messages), could)
    return table


def _held(held: Held) -> tuple[str, str, str, str]:
    rows = "unknown" if held.rows is None else f"{'' if held.counted else '~'}{held.rows:,}"
    return rows, size(held.bytes), _moment(held.oldest), _moment(held.newest)


def _moment(moment: datetime | None) -> str:
    return local(moment) if moment else ""


def _as_json(outbox: _Outbox) -> dict[str, Any]:
    return {
        "schema": outbox.schema,
        "events": _held_as_json(outbox.events),
        "messages": _held_as_json(outbox.messages),
        "partitions": [day.name for day in outbox.days if day.fate in {"kept", "dropped"}],
        "droppable": [day.name for day in outbox.droppable],
        "droppable_bytes": sum(day.bytes for day in outbox.droppable),
    }


def _held_as_json(held: Held) -> dict[str, Any]:
    return asdict(held) | {
        "oldest": held.oldest.isoformat() if held.oldest else None,
        "newest": held.newest.isoformat() if held.newest else None,
    }
