"""Which of several services in one process whatever runs now belongs to; a line of the log names it."""

from contextvars import ContextVar

speaker: ContextVar[str] = ContextVar("speaker")
