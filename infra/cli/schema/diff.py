"""The commands that explain a change of events: `tailrace schema diff` and `tailrace schema impact`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from infra.cli.common import Command, examples
from infra.cli.output import json_option, tell
from infra.cli.schema.baseline import (
    against_option,
    directory_option,
    findings_only,
    where,
)
from infra.cli.screen import style
from infra.cli.values import SUBJECT
from infra.operations import contracts
from infra.operations.contracts import Comparison
from schemas.gate.diff import FieldChange, MessageChange
from schemas.gate.impact import Effect, Impact

SIGNS = {
    "added": ("+", "green"),
    "removed": ("-", "red"),
    "changed": ("~", "yellow"),
    "renamed": ("~", "yellow"),
    "malformed": ("!", "red"),
    "mended": ("~", "yellow"),
}


@click.command("diff", cls=Command)
@click.argument("subject", type=SUBJECT, required=False)
@against_option
@directory_option
@json_option
@examples(
    "tailrace schema diff",
    "tailrace schema diff orders.OrderCreated",
    "tailrace schema diff --against git:v1.2",
    "tailrace schema diff --against registry --json",
)
@findings_only()
def show_diff(*, subject: str | None, against: str, directory: Path) -> int:
    """Show what changed in the events, field by field, in SUBJECT or in all.

    Ends with 0, or with 1 if a schema is malformed.
    """
    found = contracts.diff(where, Comparison(directory=directory, against=against), subject)
    changes = found.changes
    lines = [line for change in changes for line in lines_of(change)]
    tell(changes, lines or [_nothing(found.title)])
    return 1 if any(change.kind == "malformed" for change in changes) else 0


@click.command("impact", cls=Command)
@against_option
@directory_option
@json_option
@examples(
    "tailrace schema impact",
    "tailrace schema impact --against registry",
)
@findings_only()
def show_impact(*, against: str, directory: Path) -> int:
    """Show which consumers read the fields that changed, and what that means for them.

    A consumer that pins a schema under schemas/readers reads its fields; any other reads the whole message.

    Ends with 0, or with 1 if a schema is malformed.
    """
    found = contracts.impact(where, Comparison(directory=directory, against=against))
    impacts = found.changes
    lines = [line for each in impacts for line in lines_of_impact(each)]
    tell(impacts, lines or [_nothing(found.title)])
    return 1 if any(each.field.kind == "malformed" for each in impacts) else 0


def lines_of(change: MessageChange) -> Iterator[str]:
    """Yield what changed in a message, field by field."""
    problem = f": {change.problem}" if change.problem else ""
    yield _signed(change.kind, change.subject, f"{change.kind}{problem}")
    for field in change.fields if change.kind == "changed" else ():
        was = f"was {field.was}" if field.was else ""
        yield "  " + _signed(field.kind, field.name or "(the message itself)", was)
        yield from (f"      {line}" for line in _traits(field))


def _signed(kind: str, name: str, rest: str) -> str:
    sign, colour = SIGNS[kind]
    return style(f"{sign} {name}", fg=colour) + (f"  {rest}" if rest else "")


def _traits(field: FieldChange) -> Iterator[str]:
    for trait in dict.fromkeys((*field.before, *field.after)):
        old = style(field.before.get(trait, "(none)"), fg="red")
        new = style(field.after.get(trait, "(none)"), fg="green")
        values = {"added": new, "removed": old}
        yield f"{trait}: {values.get(field.kind, f'{old} -> {new}')}"


def lines_of_impact(each: Impact) -> Iterator[str]:
    """Yield a field that changed, and what that means to each consumer."""
    yield _signed(
        each.field.kind, " ".join(filter(None, (each.subject, each.field.name))), each.topic
    )
    width = max((len(effect.consumer) for effect in each.effects), default=0)
    yield from (f"    {_effect(effect, width)}" for effect in each.effects)
    if not each.effects:
        yield "    nobody handles it by the catalogue"


def _effect(effect: Effect, width: int) -> str:
    meaning = style(effect.meaning, fg="red") if effect.breaks else effect.meaning
    return f"{effect.consumer:<{width}}  {'reads it: ' if effect.reads else ''}{meaning}"


def _nothing(title: str) -> str:
    return f"No event changed against {title}."
