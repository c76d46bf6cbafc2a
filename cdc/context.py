"""What travels with a message besides its content: correlation, causation and trace context."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from cdc.ids import new_id

CORRELATION_ID = "x-correlation-id"
TRACEPARENT = "traceparent"
"""What carries the two between services, as headers of HTTP and as metadata of gRPC."""
TRACE_CONTEXT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
"""Version 00 of the W3C Trace Context header; ids that are all zero are invalid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageContext:
    """Where a message comes from."""

    correlation_id: UUID
    # id of the message that led to this one; none at the edge of the system
    causation_id: UUID | None = None
    traceparent: str | None = None

    def next_span(self) -> "MessageContext":
        """Return the context of the next hop: the same trace, a span of its own."""
        return replace(self, traceparent=next_traceparent(self.traceparent))


class Sampling:
    """Which of the traces that begin in this process are recorded; of others whoever began them has decided.

    Attributes:
        rate: How many of them, from 0 to 1.
    """

    rate = 0.0

    def takes(self, trace_id: str) -> bool:
        """Tell whether a trace is to be recorded; ids are random, and so is this."""
        return int(trace_id[-_DIGITS:], 16) < self.rate * _IDS


_DIGITS = 14
_IDS = 16.0**_DIGITS
sampling = Sampling()


def next_traceparent(parent: str | None, *, may_record: bool = True) -> str:
    """Return the trace context of a new span.

    Args:
        parent: Trace context of the caller. When it is missing or malformed a new trace begins, as the W3C
            recommendation asks.
        may_record: Whether a new trace may be recorded, as somebody records where it begins.
    """
    if match := TRACE_CONTEXT.fullmatch(parent or ""):
        trace_id, flags = match.groups()
    else:
        trace_id = secrets.token_hex(16)
        flags = "01" if may_record and sampling.takes(trace_id) else "00"
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def trace_id_of(traceparent: str | None) -> str:
    """Return the id of a trace; empty where there is none."""
    match = TRACE_CONTEXT.fullmatch(traceparent or "")
    return match[1] if match else ""


def is_sampled(traceparent: str | None) -> bool:
    """Tell whether a trace is recorded, by the lowest bit of its flags."""
    match = TRACE_CONTEXT.fullmatch(traceparent or "")
    return match is not None and int(match[2], 16) & 1 == 1


def context_from(said: Mapping[str, str]) -> MessageContext:
    """Return the context of what is asked: the caller's correlation and trace if it sent them, and a span of our own.

    Ids that are no ids are passed over, not refused: they are the caller's diagnostics, not its request.
    """
    try:
        correlation_id = UUID(said.get(CORRELATION_ID, ""))
    except ValueError:
        correlation_id = new_id()
    return MessageContext(
        correlation_id=correlation_id, traceparent=next_traceparent(said.get(TRACEPARENT))
    )


def carried(context: MessageContext) -> dict[str, str]:
    """Return what carries a context on to the next service."""
    said = {CORRELATION_ID: str(context.correlation_id)}
    return said if context.traceparent is None else {**said, TRACEPARENT: context.traceparent}
