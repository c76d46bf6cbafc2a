"""What travels with a message besides its content: correlation, causation and trace context."""

import re
import secrets
from dataclasses import dataclass, replace
from uuid import UUID

TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
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
    if match := TRACEPARENT.fullmatch(parent or ""):
        trace_id, flags = match.groups()
    else:
        trace_id = secrets.token_hex(16)
        flags = "01" if may_record and sampling.takes(trace_id) else "00"
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def trace_id_of(traceparent: str | None) -> str:
    """Return the id of a trace; empty where there is none."""
    match = TRACEPARENT.fullmatch(traceparent or "")
    return match[1] if match else ""


def is_sampled(traceparent: str | None) -> bool:
    """Tell whether a trace is recorded, by the lowest bit of its flags."""
    match = TRACEPARENT.fullmatch(traceparent or "")
    return match is not None and int(match[2], 16) & 1 == 1
