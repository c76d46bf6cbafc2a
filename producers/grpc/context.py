"""Correlation and trace of the call that is being served, for the code that serves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from cdc.context import MessageContext, context_from

_current: ContextVar[MessageContext | None] = ContextVar("message_context", default=None)


def current_context() -> MessageContext:
    """Return the context of the call that is being served; outside of any call a new one."""
    return _current.get() or context_from({})


@contextmanager
def serving(context: MessageContext) -> Iterator[None]:
    """Have calls that are made inside carry this context on."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
