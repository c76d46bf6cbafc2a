"""The commands that show what is parked, and what was done: `parked list` and `parked history`."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from consumers.runtime.parked.message import Found
from consumers.runtime.parked.selection import Selection
from infra.cli.common import Command, examples
from infra.cli.output import json_option, tell
from infra.cli.parked.options import (
    consumer_option,
    optional_place_argument,
    selecting,
    waiting_option,
)
from infra.cli.parked.text import action_as_json, action_line, lines, message_as_json, summary
from infra.cli.values import COUNT, KEY, TOPIC
from infra.deployment.current import load_deployment
from infra.operations.parked.list import HistoryRequest, list_actions, list_messages
from infra.text import counted

SHOWN = 20

limit_option = click.option("-n", "--limit", type=COUNT, default=SHOWN, show_default=True)


@click.command("list", cls=Command)
@selecting
@waiting_option
@limit_option
@json_option
@examples(
    "tailrace parked list --status dead",
    "tailrace parked list --consumer payments-worker --error CardDeclined --newer-than 2h",
    "tailrace parked list --key 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968 --waiting",
)
def list_parked(*, selection: Selection, waiting: bool, limit: int) -> None:
    """Show the messages that are parked, oldest first: of each key the one that is to be decided about.

    Each is shown with what it waits for: `dead` for somebody to decide, `retrying` for its next attempt, `waiting`
    for a message before it.
    """
    found = list_messages(load_deployment(), replace(selection, waiting=waiting), limit)
    result = {"messages": list(map(message_as_json, found.messages)), "totals": found.totals}
    nothing = "Nothing is parked." if selection.is_everything else "No parked message matches."
    tell(result, _lines(found) if found.messages else [nothing])


def _lines(found: Found) -> Iterator[str]:
    now = datetime.now(UTC)
    for message in found.messages:
        yield from lines(message, now)
    yield f"\n{summary(found.totals)}"
    if found.totals.messages > len(found.messages):
        yield f"The oldest {len(found.messages)} of {found.totals.messages} are shown; --limit shows more."


@click.command(cls=Command)
@optional_place_argument
@consumer_option
@click.option("--topic", type=TOPIC, help="Only of this topic.")
@click.option("--key", type=KEY, help="Only of this key.")
@click.option("--action", type=click.Choice(("retry", "edit", "skip")), help="Only this.")
@limit_option
@json_option
@examples(
    "tailrace parked history",
    "tailrace parked history --action skip --limit 100",
    "tailrace parked history order.events/3/17",
)
def history(**options: Any) -> None:
    """Show who retried, edited or skipped what, and why; newest first."""
    request = HistoryRequest(**options)
    actions = list_actions(load_deployment(), request)
    lines = [action_line(each) for each in actions]
    if not actions:
        lines.append("Nobody has done anything of that kind yet.")
    elif len(actions) == request.limit:
        lines.append(
            f"\nThe newest {counted(request.limit, 'action')} at most are shown; --limit shows more."
        )
    tell(list(map(action_as_json, actions)), lines)
