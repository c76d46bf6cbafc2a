"""Middleware: what is done around every call of a handler, whichever it is."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work

CallNext = Callable[[], Awaitable[None]]
"""Calls the next middleware, and in the end the handler."""

Middleware = Callable[[Sequence[Received[Any]], Work | BulkWork, CallNext], Awaitable[None]]
"""`async (received, work, call_next)`: `received` is one message, or those of a call in bulk.

It works in the transaction of the handler, and what it raises decides about the messages as what a handler raises. The
messages count as handled if it does not call `call_next`.
"""
