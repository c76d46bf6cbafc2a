"""What is recorded of the handling of a message, if its trace is: when it was taken, and what was tried."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdc.context import is_sampled, next_traceparent
from cdc.tracing.spans import Event

MOST_EVENTS = 64
"""Events of a message's handling; one that is tried again for hours has no more."""


@dataclass(slots=True)
class HandlingTrace:
    """A recorded trace, as far as one consumer goes on with it.

    Args:
        traceparent: Context of the span in which the message is handled.
        parent: Context that the message carries.
        taken_ns: When the first transaction began that was to take it, in nanoseconds since 1970; 0 before.
        events: When handlers were called, and how that ended.
    """

    traceparent: str
    parent: str
    taken_ns: int = 0
    events: list[Event] = field(default_factory=list)

    def note(self, event: str, **told: str) -> None:
        if len(self.events) < MOST_EVENTS:
            self.events.append(Event(event, time.time_ns(), told))


def begin_trace(headers: Mapping[str, bytes | None]) -> HandlingTrace | None:
    """Return what is to be recorded of a message by its headers; None where nothing is."""
    sent = headers.get("traceparent")
    # of ten messages nine are none of ours
    if sent is None or not sent.endswith(_ODD) or not is_sampled(parent := sent.decode("latin-1")):
        return None
    return HandlingTrace(next_traceparent(parent), parent)


_ODD = tuple(digit.encode() for digit in "13579bdf")


async def note_calls(received: Sequence[Any], _: object, call_next: Any) -> None:
    """Note, as the innermost middleware, when the handler of recorded messages is called, and how that ends."""
    traces = [each.trace for each in received if each.trace is not None]
    for trace in traces:
        trace.note("handler called")
    try:
        await call_next()
    except BaseException as error:  # a call that is cancelled too
        for trace in traces:
            trace.note("handler failed", error=type(error).__name__)
        raise
    for trace in traces:
        trace.note("handler done")


def note_stashed(todo: Sequence[Any], admitted: Sequence[Any]) -> None:
    """Note of recorded commands that they wait until another saga frees their target."""
    for each in todo:
        if each.trace is not None and each not in admitted:
            each.trace.note("stashed")
