"""The commands `tailrace flow`: what became of something, as text or as a diagram in Mermaid's language."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

import click
from rich.console import RenderableType

from cdc.text import printable
from infra.cli.common import Group, examples
from infra.cli.output import as_data, json_option, tell, wants_json
from infra.cli.screen import style
from infra.cli.values import TEXT
from infra.deployment.current import load_deployment
from infra.operations.flow import OPEN, PARKED, Flow, FlowMessage, Taking
from infra.operations.flow import flow as find_flow
from infra.tables import table
from infra.text import counted, local

Children = Mapping[UUID | None, Sequence[FlowMessage]]
OUTSIDE = "outside"
WAITS = ("in the outbox", "in the topic", "in the handler")


@click.group(cls=Group)
def flow() -> None:
    """Follow what happened across services: which message led to which, who took it, where it waited."""


@flow.command(short_help="Show what became of an order, a request or a message.")
@click.argument("id_", type=TEXT, metavar="ID")
@click.option("--mermaid", is_flag=True, help="Print a sequence diagram in Mermaid's language.")
@json_option
@examples(
    "tailrace flow show 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968",
    "tailrace flow show 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968 --mermaid > order.mmd",
)
def show(*, id_: str, mermaid: bool) -> int:
    """Show what really happened: ID is that of an order or the like, a correlation id, or a message id.

    Messages stand below the one that led to them, in the order of their causes and their positions in the outboxes, not
    of the clocks. Below them stands where each waited. Ends with 1 if something is parked, or refused by Kafka.
    """
    if mermaid and wants_json():
        raise click.UsageError("--mermaid and --json are two forms of the same: choose one.")
    found = find_flow(load_deployment(), id_)
    result = as_data(found) | {"is_done": found.is_done, "is_sound": found.is_sound}
    tell(result, sequence(found) if mermaid else _shown(found))
    for note in found.notes:
        click.echo(note, err=True)
    return 0 if found.is_sound else 1


def _shown(flow: Flow) -> Iterator[RenderableType]:
    standing = "it is through" if flow.is_done else "it is not through yet"
    if not flow.is_sound:
        standing = style("something has failed", fg="red")
    told = f"{counted(len(flow.messages), 'message')}, {standing}"
    yield f"{style(printable(f'{flow.asked} {flow.id}'), bold=True)}  {told}"
    children: dict[UUID | None, list[FlowMessage]] = defaultdict(list)
    for each in flow.messages:
        children[each.parent].append(each)
    for root in children[None]:
        missing = f"{root.causation_id}, which is not recorded any more"
        cause = missing if root.cause_is_missing else "nothing before it"
        yield f"\ncaused by {cause}, correlation {root.correlation_id}"
        yield from _branch(root, children)
    yield ""
    yield table(("message", "consumer", *WAITS), _waits(flow), right=WAITS)


def _branch(root: FlowMessage, children: Children) -> Iterator[str]:
    below = [root]
    while below:
        message = below.pop()
        yield from _lines(message)
        below += reversed(children.get(message.message_id, ()))


def _lines(message: FlowMessage) -> Iterator[str]:
    indent = "  " * (message.depth + 1)
    version = f" v{message.version}" if message.version else ""
    whose = printable(f"{message.aggregate} {message.key}{version}")
    yield f"{indent}{style(printable(message.type), bold=True)}  {whose}"
    state = f"{message.state} {message.detail}".rstrip()
    if message.state == "published" and message.record:
        state = f"at {message.record}"
    if message.state == "set aside":
        state = style(printable(state), fg="red")
    written = f", {local(message.written_at)}" if message.written_at else ""
    yield f"{indent}    {message.message_id} by {message.service}{written}, {printable(state)}"
    for taking in message.takings:
        yield f"{indent}    {taking.consumer}: {_told(taking)}"


def _told(taking: Taking) -> str:
    if taking.effects:
        return f"taken, and sent {counted(len(taking.effects), 'message')}"
    words = {
        "retrying": "parked, is tried again",
        "dead": "dead letter",
        "behind": "parked behind",
        "stashed": "stashed",
    }
    told = f"{words.get(taking.state, taking.state)}{f': {taking.detail}' if taking.detail else ''}"
    return style(printable(told), fg="red") if taking.state in PARKED else printable(told)


def _waits(flow: Flow) -> Iterator[Sequence[str]]:
    for message in flow.messages:
        name, outbox = message.type, _wait(message.in_outbox_s)
        if not message.takings:
            yield name, "", outbox, "", ""
        for taking in message.takings:
            yield name, taking.consumer, outbox, _wait(taking.in_topic_s), _handled(taking)
            name = outbox = ""


def _handled(taking: Taking) -> str:
    if taking.state == "taken" and not taking.effects:
        return "no effect sent"
    return _wait(taking.in_handler_s) if taking.state == "taken" else taking.state


def _wait(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    return f"{seconds * 1000:,.0f} ms" if abs(seconds) < 10 else f"{seconds:,.1f} s"


def sequence(flow: Flow) -> Iterator[str]:
    """Yield the lines of a diagram: a participant for each service, an arrow for each message to each consumer."""
    numbers = {name: f"p{number}" for number, name in enumerate(_participants(flow))}
    yield "sequenceDiagram"
    yield from (f"    participant {number} as {name}" for name, number in numbers.items())
    for message in flow.messages:
        sender = numbers[message.service]
        if message.parent is None:
            why = "a cause that is not recorded" if message.cause_is_missing else "request"
            yield f"    {numbers[OUTSIDE]}->>{sender}: {why}"
        for taking in message.takings:
            yield f"    {sender}{_arrow(taking)}{numbers[taking.service]}: {_label(message, taking)}"
        if not message.takings:
            yield f"    Note over {sender}: {_in_diagram(message)}"


def _participants(flow: Flow) -> dict[str, None]:
    services = {OUTSIDE: None}
    for message in flow.messages:
        services |= {message.service: None} | {each.service: None for each in message.takings}
    return services


def _arrow(taking: Taking) -> str:
    if taking.state == "taken":
        return "->>"
    return "--)" if taking.state in OPEN - {"dead"} else "--x"


def _label(message: FlowMessage, taking: Taking) -> str:
    return (
        _in_diagram(message)
        if taking.state == "taken"
        else f"{_in_diagram(message)} ({taking.state})"
    )


def _in_diagram(message: FlowMessage) -> str:
    # what comes from a row may hold what is punctuation there
    return re.sub(r"[^\w.]", "_", message.type)
