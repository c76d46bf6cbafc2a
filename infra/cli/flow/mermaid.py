"""A flow as a sequence diagram in Mermaid's language."""

import re
from collections.abc import Iterator

from infra.operations.flow import OPEN, Flow, FlowMessage, Taking

OUTSIDE = "outside"


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
            yield f"    Note over {sender}: {_name(message)}"


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
    return _name(message) if taking.state == "taken" else f"{_name(message)} ({taking.state})"


def _name(message: FlowMessage) -> str:
    # what comes from a row may hold what is punctuation there
    return re.sub(r"[^\w.]", "_", message.type)
