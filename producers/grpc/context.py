"""What travels with a call besides its message: correlation and trace, as metadata, and for the code that serves it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from cdc.context import MessageContext, next_traceparent
from cdc.ids import new_id

CORRELATION_ID = "x-correlation-id"
TRACEPARENT = "traceparent"

Metadata = tuple[tuple[str, str], ...]

_current: ContextVar[MessageContext | None] = ContextVar("message_context", default=None)


def current_context() -> MessageContext:
    """Return the context of the call that is being served; outside of any call a new one."""
    return _current.get() or MessageContext(
        correlation_id=new_id(), traceparent=next_traceparent(None)
    )


@contextmanager
def serving(context: MessageContext) -> Iterator[None]:
    """Have calls that are made inside carry this context on."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


def context_of(metadata: Iterable[tuple[str, str | bytes]]) -> MessageContext:
    """Return the context of a call: the caller's correlation and trace where it sent them, and a span of our own.

    Ids that are no ids are passed over, as those of requests are.
    """
    said = {name: value for name, value in metadata if isinstance(value, str)}
    return MessageContext(
        correlation_id=_uuid(said.get(CORRELATION_ID)) or new_id(),
        traceparent=next_traceparent(said.get(TRACEPARENT)),
    )


def metadata_of(context: MessageContext) -> Metadata:
    """Return the metadata that carry a context on to the next service."""
    correlation = (CORRELATION_ID, str(context.correlation_id))
    return (
        (correlation,)
        if context.traceparent is None
        else (correlation, (TRACEPARENT, context.traceparent))
    )


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
