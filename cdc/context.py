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


def next_traceparent(parent: str | None) -> str:
    """Return the trace context of a new span.

    Args:
        parent: Trace context of the caller. When it is missing or malformed a new trace begins, as the W3C
            recommendation asks.
    """
    match = TRACEPARENT.fullmatch(parent or "")
    trace_id, flags = match.groups() if match else (secrets.token_hex(16), "01")
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"
