"""The commands `tailrace events`: the history of one aggregate."""

import json
from collections import deque
from collections.abc import Iterator
from typing import Any

import click

from cdc.event_log import AsOf
from cdc.text import printable
from infra.cli.common import Group, examples
from infra.cli.output import json_option, tell
from infra.cli.screen import style
from infra.cli.values import TEXT, Parsed
from infra.deployment.current import load_deployment
from infra.operations.events import History, HistoryRequest, history, parse_as_of
from infra.text import counted

AS_OF = Parsed("VERSION|TIME", parse_as_of)


@click.group(cls=Group)
def events() -> None:
    """Read the event log: what happened to an order or a payment, message by message.

    The log is kept for good, whatever Kafka has forgotten by now.
    """


@events.command(short_help="Show what happened to one aggregate, and its state.")
@click.argument("kind", type=TEXT)
@click.argument("aggregate_id", type=TEXT, metavar="ID")
@click.option(
    "--as-of",
    "as_of",
    type=AS_OF,
    help="Only what had happened by then, and the state then; a time without an offset is local.",
)
@json_option
@examples(
    "tailrace events show order 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968",
    "tailrace events show order 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968 --as-of 1",
    "tailrace events show payment 0199d2b4-5f00-7d11-9b1e-5a7e0c2d4b61 --as-of 2026-11-23T10:00",
)
def show(
    *,
    kind: str,
    aggregate_id: str,
    as_of: AsOf | None,
) -> int:
    """Show what happened to one aggregate, oldest first: KIND is order or payment, ID names which.

    Payloads are shown as they were written. Where the service declares how a state follows from the events, as orders
    do, the state stands below them. Ends with 1 if the log has a hole or an event that cannot be read.
    """
    request = HistoryRequest(kind=kind, aggregate_id=aggregate_id, as_of=as_of or AsOf())
    found = history(load_deployment(), request)
    tell(found, _lines(found))
    return 0 if found.is_sound else 1


def _lines(found: History) -> Iterator[str]:
    yield f"{style(printable(f'{found.kind} {found.id}'), bold=True)}  {counted(len(found.events), 'event')}"
    missing = deque(sorted(found.missing_versions))
    for event in found.events:
        version = event.version
        while missing and missing[0] < version:
            yield style(f"\n{missing.popleft():>3}  is missing from the log", fg="red")
        # to the last digit, so that it can be handed to --as-of
        when = event.occurred_at.astimezone().isoformat(" ")
        yield f"\n{version:>3}  {when}  {style(printable(event.type), bold=True)}"
        yield f"     message {event.message_id}, correlation {event.correlation_id}"
        yield f"     caused by {event.causation_id or 'nothing before it'}"
        if event.problem:
            yield style(f"     not readable: {event.problem}", fg="red")
            yield f"     {event.bytes}"
        else:
            yield from _json_lines(event.payload)
    if found.state is not None:
        yield f"\n{style('state', bold=True)}  after version {found.state['version']}"
        yield from _json_lines(found.state["value"])
    elif found.no_state_because:
        yield f"\nNo state: {found.no_state_because}."


def _json_lines(value: Any) -> Iterator[str]:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return (f"     {line}" for line in text.split("\n"))
